//! What training brings back: an arrow from the drop before to the drop after, for each level and sparsity.

use super::chart::{document, escape, mark};
use super::{Report, VariantRow};
use crate::Compression;
use junkdna_difficulty::stats::Standing;
use std::fmt::Write;

/// The figure of one family and one way to train.
pub(super) struct Arrows {
    pub title: String,
    /// Levels from easy to hard, each with its arrows from the weakest to the strongest pruning.
    pub groups: Vec<(String, Vec<Arrow>)>,
}

/// One pruned model on one level.
pub(super) struct Arrow {
    sparsity: f64,
    before: f64,
    after: f64,
}

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 60.0;
const STEP: f64 = 34.0;
const GAP: f64 = 26.0;
/// Drops shown; what is beyond is drawn at the edge.
const SHOWN: [f64; 2] = [-0.25, 1.25];

/// A figure for each family and mode.
pub(super) fn figures(report: &Report) -> Vec<Arrows> {
    let Some(training) = &report.plan.training else { return Vec::new() };
    let families = report.families();
    let of = |mode: &String| families.iter().filter_map(|levels| of_mode(report, levels, mode)).collect::<Vec<_>>();
    training.modes.iter().flat_map(of).collect()
}

fn of_mode(report: &Report, levels: &[VariantRow], mode: &str) -> Option<Arrows> {
    let pruned: Vec<Compression> =
        report.compressions().into_iter().filter(|c| matches!(c, Compression::Prune { .. })).collect();
    let drop = |level: &VariantRow, model: &str| {
        report.rows_of(&level.name).find(|row| row.compression == model).and_then(|row| row.relative_drop)
    };
    let group = |level: &VariantRow| {
        let arrow = |compression: &Compression| {
            let name = compression.name();
            let (before, after) = (drop(level, &name)?, drop(level, &format!("{name}, {mode}"))?);
            Some(Arrow { sparsity: compression.strength(), before, after })
        };
        (level.label().to_owned(), pruned.iter().filter_map(arrow).collect::<Vec<_>>())
    };
    let informative = levels.iter().filter(|level| level.standing != Standing::Floor);
    let groups: Vec<_> = informative.map(group).filter(|(_, arrows)| !arrows.is_empty()).collect();
    let family = levels.first().map_or("", |level| &level.family);
    (!groups.is_empty()).then(|| Arrows { title: format!("{family}: {mode}"), groups })
}

impl Arrows {
    fn width(&self) -> f64 {
        let arrows: usize = self.groups.iter().map(|(_, arrows)| arrows.len()).sum();
        LEFT + GAP + arrows as f64 * STEP + self.groups.len() as f64 * GAP
    }

    pub(super) fn figure(&self) -> String {
        let width = self.width().max(300.0);
        format!(
            r#"<figure><svg viewBox="0 0 {width:.0} {HEIGHT}" role="img" aria-label="{}">{}</svg></figure>"#,
            escape(&self.title),
            self.body()
        )
    }

    pub(super) fn file(&self) -> String {
        document(self.width().max(300.0), HEIGHT, &self.body())
    }

    // Writing to a String cannot fail.
    fn body(&self) -> String {
        let bottom = HEIGHT - BOTTOM;
        let y = |drop: f64| {
            let share = (drop.clamp(SHOWN[0], SHOWN[1]) - SHOWN[0]) / (SHOWN[1] - SHOWN[0]);
            bottom - share * (bottom - TOP)
        };
        let right = self.width();
        let mut svg = format!(r#"<text class="title" x="{LEFT}" y="18">{}</text>"#, escape(&self.title));
        for tick in [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25] {
            let class = if tick == 0.0 { "zero" } else { "grid" };
            let at = y(tick);
            let _ = write!(svg, r#"<line class="{class}" x1="{LEFT}" x2="{right:.0}" y1="{at:.1}" y2="{at:.1}"/>"#);
            let _ = write!(
                svg,
                r#"<text class="tick" text-anchor="end" x="{}" y="{:.1}">{:.0} %</text>"#,
                LEFT - 6.0,
                at + 4.0,
                tick * 100.0
            );
        }
        let middle = (TOP + bottom) / 2.0;
        let _ = write!(
            svg,
            r#"<text class="axis" text-anchor="middle" transform="rotate(-90 12 {middle:.1})" x="12" y="{middle:.1}">lost, above chance</text>"#
        );
        let mut x = LEFT + GAP;
        for (level, arrows) in &self.groups {
            let start = x;
            for arrow in arrows {
                arrow.draw(&mut svg, x, y(arrow.before), y(arrow.after), bottom, level);
                x += STEP;
            }
            let _ = write!(
                svg,
                r#"<text class="tick" text-anchor="middle" x="{:.1}" y="{:.1}">{}</text>"#,
                (start + x - STEP) / 2.0,
                bottom + 38.0,
                escape(level)
            );
            x += GAP;
        }
        svg
    }
}

impl Arrow {
    fn draw(&self, svg: &mut String, x: f64, before: f64, after: f64, bottom: f64, level: &str) {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let label = format!(
            "{level}, {} pruned: {} lost before training, {} after",
            percent(self.sparsity),
            percent(self.before),
            percent(self.after)
        );
        let _ = write!(svg, r#"<g><title>{}</title>"#, escape(&label));
        let _ = write!(svg, r#"<line class="line after" x1="{x:.1}" x2="{x:.1}" y1="{before:.1}" y2="{after:.1}"/>"#);
        let _ = write!(svg, r#"<path class="dot before" d="{}"/>"#, mark(0, x, before));
        // Points the way that the drop went.
        let head = if after < before { 2 } else { 4 };
        let _ = write!(svg, r#"<path class="dot after" d="{}"/></g>"#, mark(head, x, after));
        let _ = write!(
            svg,
            r#"<text class="tick" text-anchor="middle" x="{x:.1}" y="{:.1}">{}</text>"#,
            bottom + 18.0,
            percent(self.sparsity)
        );
    }
}
