//! Line charts and heat maps as SVG.

use std::fmt::Write;

/// One line of a chart.
pub(super) struct Line {
    pub name: String,
    /// A CSS class that gives the colour.
    pub class: String,
    pub points: Vec<Point>,
}

/// One point of a line.
pub(super) struct Point {
    pub x: f64,
    pub y: f64,
    /// Lower and upper end of the interval around `y`.
    pub interval: Option<[f64; 2]>,
    /// Shown when the pointer rests on it.
    pub label: String,
}

/// Axes of a line chart.
pub(super) struct Axes {
    pub title: String,
    pub x: &'static str,
    pub y: &'static str,
    pub x_ticks: Vec<f64>,
    /// Larger x to the left.
    pub reversed: bool,
    /// Ticks as percentages.
    pub percent_x: bool,
}

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;

/// Maps values to places on the canvas.
struct Scale {
    x: [f64; 2],
    y: [f64; 2],
    reversed: bool,
}

impl Scale {
    fn of(axes: &Axes, lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| &line.points);
        let xs = points().map(|p| p.x).chain(axes.x_ticks.iter().copied());
        let ys = points().map(|p| p.y).chain([0.0, 1.0]);
        // Intervals of few items reach far out; the lines decide what is shown.
        let [low, high] = range(ys);
        Self { x: range(xs), y: [low - 0.05, high + 0.05], reversed: axes.reversed }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value - self.x[0]) / (self.x[1] - self.x[0]).max(1e-9);
        let share = if self.reversed { 1.0 - share } else { share };
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let share = ((value - self.y[0]) / (self.y[1] - self.y[0])).clamp(0.0, 1.0);
        HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    }
}

fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}

/// A chart with a legend below it.
pub(super) fn lines(axes: &Axes, lines: &[Line]) -> String {
    let scale = Scale::of(axes, lines);
    let mut svg = format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><text class="title" x="{LEFT}" y="18">{title}</text>"#,
        title = escape(&axes.title)
    );
    grid(&mut svg, axes, &scale);
    for line in lines {
        draw(&mut svg, line, &scale);
    }
    svg.push_str("</svg>");
    let mut html = format!("<figure>{svg}<figcaption>");
    for line in lines {
        let _ = write!(html, r#"<span class="key {}">{}</span> "#, line.class, escape(&line.name));
    }
    html + "</figcaption></figure>"
}

// Writing to a String cannot fail.
fn grid(svg: &mut String, axes: &Axes, scale: &Scale) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut tick = (scale.y[0] * 4.0).ceil() as i64;
    while tick as f64 / 4.0 <= scale.y[1] {
        let value = tick as f64 / 4.0;
        let y = scale.y(value);
        let class = if tick == 0 { "zero" } else { "grid" };
        let _ = write!(svg, r#"<line class="{class}" x1="{LEFT}" x2="{right}" y1="{y:.1}" y2="{y:.1}"/>"#);
        let _ = write!(
            svg,
            r#"<text class="tick" text-anchor="end" x="{:.1}" y="{:.1}">{:.0} %</text>"#,
            LEFT - 6.0,
            y + 4.0,
            value * 100.0
        );
        tick += 1;
    }
    for &value in &axes.x_ticks {
        let x = scale.x(value);
        let text = if axes.percent_x { format!("{:.0} %", value * 100.0) } else { format!("{value}") };
        let _ = write!(svg, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{bottom}"/>"#);
        let _ =
            write!(svg, r#"<text class="tick" text-anchor="middle" x="{x:.1}" y="{:.1}">{text}</text>"#, bottom + 16.0);
    }
    let middle = (TOP + bottom) / 2.0;
    let _ = write!(
        svg,
        r#"<text class="axis" text-anchor="middle" x="{:.1}" y="{:.1}">{}</text>"#,
        (LEFT + right) / 2.0,
        HEIGHT - 8.0,
        escape(axes.x)
    );
    let _ = write!(
        svg,
        r#"<text class="axis" text-anchor="middle" transform="rotate(-90 12 {middle:.1})" x="12" y="{middle:.1}">{}</text>"#,
        escape(axes.y)
    );
}

fn draw(svg: &mut String, line: &Line, scale: &Scale) {
    let class = &line.class;
    let banded: Vec<_> = line.points.iter().filter_map(|p| p.interval.map(|i| (p.x, i))).collect();
    if banded.len() > 1 {
        let upper = banded.iter().map(|(x, [_, high])| place(scale, *x, *high));
        let lower = banded.iter().rev().map(|(x, [low, _])| place(scale, *x, *low));
        let _ = write!(
            svg,
            r#"<polygon class="band {class}" points="{}"/>"#,
            upper.chain(lower).collect::<Vec<_>>().join(" ")
        );
    }
    let path: Vec<_> = line.points.iter().map(|p| place(scale, p.x, p.y)).collect();
    let _ = write!(svg, r#"<polyline class="line {class}" points="{}"/>"#, path.join(" "));
    for point in &line.points {
        let (x, y) = (scale.x(point.x), scale.y(point.y));
        let _ = write!(
            svg,
            r#"<circle class="dot {class}" cx="{x:.1}" cy="{y:.1}" r="3.4"><title>{}</title></circle>"#,
            escape(&point.label)
        );
    }
}

fn place(scale: &Scale, x: f64, y: f64) -> String {
    format!("{:.1},{:.1}", scale.x(x), scale.y(y))
}

/// One row of a heat map: its name, and a value with a label for each column; `None` where there is none to show.
pub(super) struct HeatRow {
    pub name: String,
    pub cells: Vec<(Option<f64>, String)>,
}

/// A table whose cells are coloured from 0 to 1. Columns come in groups.
pub(super) fn heat_map(groups: &[(String, Vec<String>)], rows: &[HeatRow]) -> String {
    let mut html = String::from(r#"<div class="scroll"><table class="heat"><thead><tr><th></th>"#);
    for (group, columns) in groups {
        let _ = write!(html, r#"<th class="group" colspan="{}">{}</th>"#, columns.len(), escape(group));
    }
    html.push_str("</tr><tr><th></th>");
    for column in groups.iter().flat_map(|(_, columns)| columns) {
        let _ = write!(html, "<th>{}</th>", escape(column));
    }
    html.push_str("</tr></thead><tbody>");
    for row in rows {
        let _ = write!(html, "<tr><th>{}</th>", escape(&row.name));
        for (value, label) in &row.cells {
            html.push_str(&heat_cell(*value, label));
        }
        html.push_str("</tr>");
    }
    html + "</tbody></table></div>"
}

fn heat_cell(value: Option<f64>, label: &str) -> String {
    let label = escape(label);
    match value {
        None => format!(r#"<td class="none" title="{label}">–</td>"#),
        Some(value) => {
            let heat = value.clamp(0.0, 1.0);
            // Text turns light where the cell is dark.
            let class = if heat > 0.55 { "dark" } else { "light" };
            format!(r#"<td class="{class}" style="--heat:{heat:.3}" title="{label}">{:.0}</td>"#, value * 100.0)
        }
    }
}

/// Text for use in HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
