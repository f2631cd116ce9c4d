//! Line charts and heat maps as SVG, inside the page and as files.

use std::fmt::Write;

/// One line of a chart.
pub(super) struct Line {
    pub name: String,
    /// CSS classes that give colour and dashes.
    pub class: String,
    /// Which mark its points have, so that colour is not all that tells lines apart.
    pub mark: usize,
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

/// A line chart.
pub(super) struct Chart {
    pub axes: Axes,
    pub lines: Vec<Line>,
}

/// Height of a line of a file's legend.
const LEGEND: f64 = 18.0;

impl Chart {
    /// For the page: the chart with a legend below it.
    pub(super) fn figure(&self) -> String {
        let title = escape(&self.axes.title);
        let mut html = format!(
            r#"<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{}</svg><figcaption>"#,
            self.body()
        );
        for line in &self.lines {
            let _ = write!(
                html,
                r#"<span class="key"><svg class="sign" viewBox="0 0 34 12" aria-hidden="true">{}</svg>{}</span> "#,
                sign(line, 0.0, 6.0),
                escape(&line.name)
            );
        }
        html + "</figcaption></figure>"
    }

    /// For a file: the chart with its colours and its legend.
    pub(super) fn file(&self) -> String {
        let mut body = self.body();
        for (at, line) in self.lines.iter().enumerate() {
            let y = HEIGHT + LEGEND * (at as f64 + 0.5);
            body += &sign(line, LEFT, y);
            let _ = write!(
                body,
                r#"<text class="key" x="{}" y="{:.1}">{}</text>"#,
                LEFT + 42.0,
                y + 4.0,
                escape(&line.name)
            );
        }
        document(WIDTH, HEIGHT + LEGEND * (self.lines.len() as f64 + 0.5), &body)
    }

    fn body(&self) -> String {
        let scale = Scale::of(&self.axes, &self.lines);
        let mut svg = format!(r#"<text class="title" x="{LEFT}" y="18">{}</text>"#, escape(&self.axes.title));
        grid(&mut svg, &self.axes, &scale);
        for line in &self.lines {
            draw(&mut svg, line, &scale);
        }
        svg
    }
}

/// A piece of a line with its mark.
fn sign(line: &Line, x: f64, y: f64) -> String {
    let class = &line.class;
    format!(
        r#"<line class="line {class}" x1="{x}" x2="{}" y1="{y}" y2="{y}"/><path class="dot {class}" d="{}"/>"#,
        x + 34.0,
        mark(line.mark, x + 17.0, y)
    )
}

/// A file of its own: its colours are the page's on white.
pub(super) fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"><style>{}</style><rect width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>"##,
        include_str!("plot.css")
    )
}

/// The outline of a mark: circle, square, triangle, diamond, downward triangle or bar.
pub(super) fn mark(kind: usize, x: f64, y: f64) -> String {
    match kind % 6 {
        0 => format!("M{:.1} {y:.1}a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z", x - 3.6),
        1 => format!("M{:.1} {:.1}h6.6v6.6h-6.6z", x - 3.3, y - 3.3),
        2 => format!("M{x:.1} {:.1}l4.2 7.4h-8.4z", y - 4.6),
        3 => format!("M{x:.1} {:.1}l4.6 4.6l-4.6 4.6l-4.6 -4.6z", y - 4.6),
        4 => format!("M{x:.1} {:.1}l4.2 -7.4h-8.4z", y + 4.6),
        _ => format!("M{:.1} {:.1}h8.8v3.4h-8.8z", x - 4.4, y - 1.7),
    }
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
            r#"<path class="dot {class}" d="{}"><title>{}</title></path>"#,
            mark(line.mark, x, y),
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

/// The same table as a file.
pub(super) fn heat_file(groups: &[(String, Vec<String>)], rows: &[HeatRow]) -> String {
    const CELL: [f64; 2] = [36.0, 20.0];
    let names = 12.0 + 6.4 * rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0) as f64;
    let columns: usize = groups.iter().map(|(_, columns)| columns.len()).sum();
    let mut body = String::new();
    let text = |body: &mut String, class: &str, anchor: &str, x: f64, y: f64, text: &str| {
        let _ = write!(
            body,
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escape(text)
        );
    };
    let mut column = 0;
    for (group, titles) in groups {
        let x = |column: usize| names + CELL[0] * column as f64;
        text(&mut body, "tick", "middle", (x(column) + x(column + titles.len())) / 2.0, 14.0, group);
        for title in titles {
            text(&mut body, "tick", "middle", x(column) + CELL[0] / 2.0, 32.0, title);
            column += 1;
        }
    }
    for (at, row) in rows.iter().enumerate() {
        let y = 40.0 + CELL[1] * at as f64;
        text(&mut body, "key", "end", names - 6.0, y + 14.0, &row.name);
        for (column, (value, _)) in row.cells.iter().enumerate() {
            let x = names + CELL[0] * column as f64;
            let Some(value) = value else {
                text(&mut body, "tick", "middle", x + CELL[0] / 2.0, y + 14.0, "–");
                continue;
            };
            let heat = value.clamp(0.0, 1.0);
            let part = |low: f64, high: f64| (low + (high - low) * heat).round() as u8;
            let _ = write!(
                body,
                r##"<rect x="{x:.1}" y="{y:.1}" width="{}" height="{}" fill="#{:02x}{:02x}{:02x}" stroke="#ffffff"/>"##,
                CELL[0],
                CELL[1],
                part(255.0, 143.0),
                part(255.0, 15.0),
                part(255.0, 46.0)
            );
            let class = if heat > 0.55 { "light" } else { "key" };
            text(&mut body, class, "middle", x + CELL[0] / 2.0, y + 14.0, &format!("{:.0}", value * 100.0));
        }
    }
    document(names + CELL[0] * columns as f64 + 12.0, 52.0 + CELL[1] * rows.len() as f64, &body)
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
