//! The figures as files of their own, SVG and PNG.

use super::{Report, page};
use crate::{ExperimentError, write_whole};
use resvg::{tiny_skia, usvg};
use std::path::Path;
use std::sync::Arc;

/// Pixels of a PNG for a unit of its SVG.
const SCALE: f32 = 2.0;

/// Writes every figure. Where the machine has no font, PNGs would be without words and are left out.
pub(super) fn write(report: &Report, folder: &Path) -> Result<(), ExperimentError> {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_system_fonts();
    fonts.set_sans_serif_family("DejaVu Sans");
    let readable = !fonts.is_empty();
    if !readable {
        tracing::warn!("no fonts on this machine: {} holds no PNG files", folder.display());
    }
    let options = usvg::Options { fontdb: Arc::new(fonts), ..usvg::Options::default() };
    for (name, svg) in page::files(report) {
        write_whole(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
        if readable {
            write_whole(&folder.join(format!("{name}.png")), &png(&svg, &options)?)?;
        }
    }
    Ok(())
}

fn png(svg: &str, options: &usvg::Options) -> Result<Vec<u8>, ExperimentError> {
    let failed = |error: String| ExperimentError::Render(error);
    let tree = usvg::Tree::from_str(svg, options).map_err(|error| failed(error.to_string()))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| failed("a figure without size".to_owned()))?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
        .ok_or_else(|| failed("a figure without size".to_owned()))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}
