//! The page of an experiment with several models.

use super::chart::escape;
use super::{Report, words};
use crate::{ExperimentError, write_whole};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One line a model: its verdicts, and the way to its report.
pub(crate) fn write_index(
    name: &str,
    reports: &[(Report, PathBuf)],
    folder: &Path,
) -> Result<PathBuf, ExperimentError> {
    let name = escape(name);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>junkdna: {name}</title><style>:root {{ color-scheme: \
         light dark; }} body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1080px; padding: 0 \
         1rem; }} li {{ margin: .2rem 0; }}</style></head><body><h1>{name}</h1>"
    );
    for (report, page) in reports {
        let link = page.strip_prefix(folder).unwrap_or(page).display().to_string();
        // Writing to a String cannot fail.
        let _ = write!(html, "<h2><a href=\"{}\">{}</a></h2><ul>", escape(&link), escape(&report.provenance.model));
        for verdict in &report.verdicts {
            let _ = write!(
                html,
                "<li><strong>{}</strong>: {}</li>",
                escape(words::decision(verdict.outcome)),
                escape(&words::claim(verdict))
            );
        }
        html.push_str("</ul>");
    }
    html.push_str("</body></html>\n");
    let page = folder.join("report.html");
    write_whole(&page, html.as_bytes())?;
    Ok(page)
}
