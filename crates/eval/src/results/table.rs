//! Tables in Markdown, character for character those that lm-evaluation-harness prints through `pytablewriter`.

use super::Results;
use crate::metrics::Score;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use unicode_width::UnicodeWidthStr;

/// What a table has rows of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Everything,
    Groups,
}

/// A metric after filters, with its score.
type Line = (String, String, Score);

impl Results {
    /// The table of all tasks and groups.
    pub fn table(&self) -> String {
        self.render("Tasks", Of::Everything)
    }

    /// The table of the groups that have numbers of their own, if there are any.
    pub fn group_table(&self) -> Option<String> {
        let any = self.groups.iter().any(|group| !group.metrics.is_empty());
        any.then(|| self.render("Groups", Of::Groups))
    }

    fn render(&self, first: &str, of: Of) -> String {
        let header = [first, "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"];
        let (versions, shots, directions) = (self.versions(), self.shots(), self.directions());
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        for (name, depth) in self.hierarchy(of) {
            let Some((alias, mut lines)) = self.lines(&name) else { continue };
            lines.sort_by(|a, b| format!("{},{}", a.0, a.1).cmp(&format!("{},{}", b.0, b.1)));
            let shown = if depth > 0 { format!("{}- {alias}", " ".repeat(depth)) } else { alias };
            let shots = shots.get(name.as_str()).map_or(" ".to_owned(), usize::to_string);
            let version = versions.get(&name).map_or_else(|| Cell::text("    N/A"), Cell::value);
            for (index, (metric, filter, score)) in lines.into_iter().enumerate() {
                let arrow = match directions.get(name.as_str()).and_then(|own| own.get(metric.as_str())) {
                    Some(Some(true)) => "↑",
                    Some(Some(false)) => "↓",
                    _ => "",
                };
                let stderr = score.stderr.map_or("   N/A".to_owned(), four_digits);
                rows.push(vec![
                    Cell::text(if index == 0 { &shown } else { "" }),
                    if index == 0 { version.clone() } else { Cell::text("") },
                    Cell::text(&filter),
                    Cell::text(&shots),
                    Cell::text(&metric),
                    Cell::text(arrow),
                    Cell::text(&four_digits(score.value)),
                    Cell::text("±"),
                    Cell::text(&stderr),
                ]);
            }
        }
        markdown(&header, &rows)
    }

    /// What a task or a group is called, and its numbers.
    fn lines(&self, name: &str) -> Option<(String, Vec<Line>)> {
        if let Some(group) = self.groups.iter().find(|group| group.name == name) {
            let lines = self.aggregates(group).into_iter().map(|line| (line.metric, line.filter, line.score));
            return Some((group.alias.clone().unwrap_or_else(|| name.to_owned()), lines.collect()));
        }
        let task = self.tasks.iter().find(|task| task.name == name)?;
        let lines = task.measured.iter().map(|line| (line.metric.clone(), line.filter.clone(), line.score));
        Some((task.alias.clone().unwrap_or_else(|| name.to_owned()), lines.collect()))
    }

    /// Names in the order of the table, with their depth: groups by name, each followed by what is in it; then all others.
    fn hierarchy(&self, of: Of) -> Vec<(String, usize)> {
        let children: HashMap<&str, &[String]> =
            self.groups.iter().map(|group| (group.name.as_str(), group.children.as_slice())).collect();
        let inner: BTreeSet<&str> = children.values().copied().flatten().map(String::as_str).collect();
        let tops: BTreeSet<&str> = children.keys().copied().filter(|name| !inner.contains(name)).collect();
        let mut order = Vec::new();
        tops.iter().for_each(|top| visit(top, 0, &children, &mut order));
        let alone: BTreeSet<&str> = self.tasks.iter().map(|task| task.name.as_str()).collect();
        let alone = alone.into_iter().filter(|name| !inner.contains(name) && !children.contains_key(name));
        order.extend(alone.map(|name| (name.to_owned(), 0)));
        if of == Of::Groups {
            order.retain(|(name, _)| self.groups.iter().any(|group| group.name == *name && !group.metrics.is_empty()));
        }
        order
    }
}

fn visit(name: &str, depth: usize, children: &HashMap<&str, &[String]>, order: &mut Vec<(String, usize)>) {
    order.push((name.to_owned(), depth));
    let mut below: Vec<&String> = children.get(name).copied().unwrap_or_default().iter().collect();
    below.sort();
    below.into_iter().for_each(|child| visit(child, depth + 1, children, order));
}

/// `{x:.4f}` of Python.
fn four_digits(x: f64) -> String {
    match x.is_finite() {
        true => format!("{x:.4}"),
        false => x.to_string().to_lowercase(),
    }
}

/// A cell as it is given: a text, or a number.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Number(f64),
}

impl Cell {
    fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn value(value: &Value) -> Self {
        value.as_f64().map_or_else(|| Self::Text(crate::task::text(value)), Self::Number)
    }

    /// Its number, if it can be read as one.
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }

    fn is_blank(&self) -> bool {
        matches!(self, Self::Text(text) if text.trim().is_empty())
    }
}

/// How the cells of a column are written, as `pytablewriter` decides it.
struct Column {
    /// Whether all cells are numbers: then they have one number of decimals, and the column stands to the right.
    numeric: bool,
    /// Whether texts that look like numbers are numbers: those below a first cell that is a word are not.
    parses: bool,
    decimals: usize,
    width: usize,
}

impl Column {
    fn new(header: &str, cells: &[&Cell]) -> Self {
        let parses = cells.first().is_none_or(|first| first.is_blank() || first.number().is_some());
        let mut column = Self { numeric: false, parses, decimals: 0, width: 0 };
        let numbers: Vec<Option<f64>> =
            cells.iter().filter(|cell| !cell.is_blank()).map(|cell| column.number(cell)).collect();
        // What is not finite alone does not make a column of numbers.
        column.numeric = numbers.iter().all(Option::is_some) && numbers.iter().flatten().any(|x| x.is_finite());
        column.decimals = numbers.iter().flatten().map(|x| decimals(*x)).max().unwrap_or(0);
        let widths = cells.iter().map(|cell| column.write(cell).0.width());
        column.width = widths.chain([header.width(), 3]).max().unwrap_or(3);
        column
    }

    fn number(&self, cell: &Cell) -> Option<f64> {
        match cell {
            Cell::Text(_) if !self.parses => None,
            cell => cell.number(),
        }
    }

    /// The text of a cell, and whether it stands to the right.
    fn write(&self, cell: &Cell) -> (String, bool) {
        match (self.number(cell), cell) {
            (Some(x), _) if x.is_nan() => ("NaN".into(), self.numeric),
            (Some(x), _) if x.is_infinite() => (if x > 0.0 { "Infinity" } else { "-Infinity" }.into(), self.numeric),
            (Some(x), _) if decimals(x) == 0 && !self.numeric => (format!("{}", x as i64), true),
            // A zero has no sign.
            (Some(x), _) => (format!("{:.*}", self.decimals, if x == 0.0 { 0.0 } else { x }), true),
            (None, Cell::Text(text)) => (text.clone(), false),
            (None, Cell::Number(_)) => (String::new(), false),
        }
    }
}

/// Digits behind the point of the shortest text that is the number.
fn decimals(x: f64) -> usize {
    match x.is_finite() {
        true => format!("{x}").split_once('.').map_or(0, |(_, digits)| digits.len()),
        false => 0,
    }
}

fn markdown(header: &[&str], rows: &[Vec<Cell>]) -> String {
    let column = |index: usize| {
        let cells: Vec<&Cell> = rows.iter().map(|row| &row[index]).collect();
        Column::new(header[index], &cells)
    };
    let columns: Vec<Column> = (0..header.len()).map(column).collect();
    let line = |cells: Vec<String>| format!("|{}|\n", cells.join("|"));
    let centred = |(title, column): (&&str, &Column)| {
        let space = column.width - title.width();
        format!("{}{title}{}", " ".repeat(space / 2), " ".repeat(space - space / 2))
    };
    let rule = |column: &Column| match column.numeric {
        true => format!("{}:", "-".repeat(column.width - 1)),
        false => "-".repeat(column.width),
    };
    let padded = |(cell, column): (&Cell, &Column)| {
        let (text, right) = column.write(cell);
        let space = " ".repeat(column.width - text.width());
        // As there, a bar that is escaped makes its row wider.
        let text = text.replace('|', "\\|");
        if right { space + &text } else { text + &space }
    };
    let mut table = line(header.iter().zip(&columns).map(centred).collect());
    table += &line(columns.iter().map(rule).collect());
    rows.iter().for_each(|row| table += &line(row.iter().zip(&columns).map(padded).collect()));
    table
}
