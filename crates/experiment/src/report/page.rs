//! The page: one file that needs nothing else.

use super::chart::{self, Axes, Chart, HeatRow, Line, Point, escape};
use super::tables::name;
use super::{Report, Row, VariantRow, arrows, words};
use crate::compression::series_name;
use crate::{Compression, ExperimentError};
use junkdna_difficulty::stats::Standing;
use junkdna_difficulty::{Decision, Series, Verdict};
use minijinja::{Environment, Value, context, syntax::SyntaxConfig, value::Serde};
use serde_json::json;

pub(super) fn render(report: &Report) -> Result<String, ExperimentError> {
    let failed = |error: minijinja::Error| ExperimentError::Render(format!("{error:#}"));
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(failed)?;
    environment.set_syntax(syntax);
    environment.add_template("report.html", include_str!("report.html")).map_err(failed)?;
    let template = environment.get_template("report.html").map_err(failed)?;
    let plan = toml::to_string(&report.plan).map_err(|error| ExperimentError::Render(error.to_string()))?;
    let curves = report.families().into_iter().map(|levels| Value::from_safe_string(curve_figure(report, levels)));
    let (groups, rows) = heat(report);
    template
        .render(context! {
            report => Value::from(Serde(report)),
            plan,
            curves => curves.collect::<Vec<_>>(),
            pruning => pruning(report).map_or_else(String::new, |series| series_name(&series)),
            training => report.plan.training.is_some(),
            arrows => arrows::figures(report)
                .iter()
                .map(|figure| Value::from_safe_string(figure.figure()))
                .collect::<Vec<_>>(),
            heat => Value::from_safe_string(chart::heat_map(&groups, &rows)),
            contrast => Value::from_safe_string(contrast(report).figure()),
            results => results(report),
            costs => report.costs.iter().map(cost).collect::<Vec<_>>(),
            seed => report.plan.seed(),
            script => Value::from_safe_string(include_str!("report.js").to_owned()),
            data => Value::from_safe_string(data(report)?),
            headline => headline(report),
            verdicts => report.verdicts.iter().map(verdict).collect::<Vec<_>>(),
            tasks => report.variants.iter().map(task).collect::<Vec<_>>(),
            models => report.rows.len() / report.variants.len().max(1),
            questions => report.variants.iter().map(|v| v.items).sum::<usize>(),
        })
        .map_err(failed)
}

/// The share of what the dense model has above chance that is lost; where it has nothing, nothing is shown.
fn relative(row: &Row, variant: &VariantRow) -> Option<f64> {
    if variant.standing == Standing::Floor { None } else { row.relative_drop }
}

/// The figures as files: name and SVG.
pub(super) fn files(report: &Report) -> Vec<(String, String)> {
    let plain = |name: &str| name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>();
    let curves = report.families().into_iter().filter_map(|levels| {
        let chart = curve(report, levels).filter(|chart| !chart.lines.is_empty())?;
        Some((format!("drop-{}", plain(&levels.first()?.family)), chart.file()))
    });
    let (groups, rows) = heat(report);
    let arrows = arrows::figures(report).into_iter().map(|figure| {
        let name = format!("repair-{}", plain(&figure.title));
        (name, figure.file())
    });
    curves
        .chain(arrows.collect::<Vec<_>>())
        .chain([
            ("heat".to_owned(), chart::heat_file(&groups, &rows)),
            ("contrast".to_owned(), contrast(report).file()),
        ])
        .collect()
}

/// The series of pruning that the curves show: magnitude, or else the first that there is.
fn pruning(report: &Report) -> Option<Series> {
    let all: Vec<Series> = report
        .compressions()
        .iter()
        .filter(|c| matches!(c, Compression::Prune { .. }))
        .filter_map(Compression::series)
        .collect();
    let magnitude = all.iter().find(|&series| *series == Series::Magnitude);
    magnitude.or(all.first()).cloned()
}

fn curve_figure(report: &Report, levels: &[VariantRow]) -> String {
    let family = escape(levels.first().map_or("", |level| &level.family));
    match curve(report, levels) {
        None => format!("<figure><p class=\"empty\">{family}: nothing was pruned.</p></figure>"),
        Some(chart) if chart.lines.is_empty() => format!(
            "<figure><p class=\"empty\">{family}: the dense model only guesses on every level; nothing can be lost.</p></figure>"
        ),
        Some(chart) => chart.figure(),
    }
}

/// Drop over sparsity, a line for each level of difficulty.
fn curve(report: &Report, levels: &[VariantRow]) -> Option<Chart> {
    let series = pruning(report)?;
    let lines: Vec<Line> = levels.iter().filter_map(|level| curve_line(report, &series, level, levels.len())).collect();
    let mut x_ticks: Vec<f64> = lines.iter().flat_map(|line| line.points.iter().map(|p| p.x)).collect();
    x_ticks.sort_by(f64::total_cmp);
    x_ticks.dedup();
    let axes = Axes {
        title: levels.first().map_or("", |level| &level.family).to_owned(),
        x: "share of weights pruned",
        y: "lost, of the score above chance",
        x_ticks,
        reversed: false,
        percent_x: true,
    };
    Some(Chart { axes, lines })
}

fn curve_line(report: &Report, series: &Series, level: &VariantRow, levels: usize) -> Option<Line> {
    let rows = report.rows_of(&level.name).filter(|row| row.series.as_ref() == Some(series));
    let points = rows.filter_map(|row| {
        let y = relative(row, level)?;
        let label = format!("{} at {:.0} %: {}", level.name, row.strength * 100.0, describe(row));
        Some(Point { x: row.strength, y, interval: row.relative_interval, label })
    });
    let mut points: Vec<Point> = points.collect();
    if points.is_empty() {
        return None;
    }
    points.insert(0, Point { x: 0.0, y: 0.0, interval: Some([0.0; 2]), label: "dense model".into() });
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    // Six shades from easy to hard, spread over the levels there are.
    let shade = if levels > 1 { level.level * 5 / (levels - 1) } else { 0 };
    let at_ceiling = if level.standing == Standing::Ceiling { " (at its ceiling)" } else { "" };
    Some(Line {
        name: format!("{}{at_ceiling}", level.label()),
        class: format!("level{}", shade.min(5)),
        mark: level.level,
        points,
    })
}

fn describe(row: &Row) -> String {
    let interval = |[low, high]: [f64; 2]| format!(" [{:.0}, {:.0}]", low * 100.0, high * 100.0);
    let relative = row.relative_drop.map_or("no score to lose".into(), |drop| {
        format!("{:.0} %{} lost", drop * 100.0, row.relative_interval.map(interval).unwrap_or_default())
    });
    format!("{relative}, accuracy {:.1} %", row.accuracy * 100.0)
}

/// Task × compression: groups of columns, and rows.
fn heat(report: &Report) -> (Vec<(String, Vec<String>)>, Vec<HeatRow>) {
    let Some(first) = report.variants.first() else { return (Vec::new(), Vec::new()) };
    let columns: Vec<&Row> = report.rows_of(&first.name).filter(|row| row.series.is_some()).collect();
    let groups = columns.chunk_by(|a, b| a.series == b.series).map(|group| {
        let title = group[0].series.as_ref().map_or(String::new(), series_title);
        (title, group.iter().map(|row| column_title(row)).collect())
    });
    let rows = report.variants.iter().map(|variant| HeatRow {
        name: variant.name.clone(),
        cells: report
            .rows_of(&variant.name)
            .filter(|row| row.series.is_some())
            .map(|row| (relative(row, variant), format!("{}, {}: {}", variant.name, row.compression, describe(row))))
            .collect(),
    });
    (groups.collect(), rows.collect())
}

fn series_title(series: &Series) -> String {
    match series {
        Series::Magnitude => "magnitude, sparsity %".into(),
        Series::Random => "random, sparsity %".into(),
        Series::Quantization => "rounded, bits".into(),
        Series::Other(name) => name.clone(),
    }
}

fn column_title(row: &Row) -> String {
    match row.series {
        Some(Series::Quantization) => format!("{}", 16.0 - row.strength),
        _ => format!("{:.0}", row.strength * 100.0),
    }
}

/// Score kept over bits per weight: pruning by magnitude, at random, and quantization, on easy and on hard levels.
fn contrast(report: &Report) -> Chart {
    let mut lines = Vec::new();
    for (series, class, title) in [
        (Series::Magnitude, "magnitude", "magnitude"),
        (Series::Random, "random", "random"),
        (Series::Quantization, "rounded", "rounded to nearest"),
    ] {
        for (ends, dash, of) in [(End::Easiest, "", "easiest"), (End::Hardest, " hard", "hardest")] {
            let points = contrast_points(report, &series, ends);
            if !points.is_empty() {
                let mark = lines.len();
                lines.push(Line { name: format!("{title}, {of}"), class: format!("{class}{dash}"), mark, points });
            }
        }
    }
    let axes = Axes {
        title: "What is left at a size".into(),
        x: "bits per weight in a file (dense: half floats; pruned: sparse-bitmask; rounded: packed codes)",
        y: "kept, of the score above chance",
        x_ticks: vec![2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0],
        reversed: true,
        percent_x: false,
    };
    Chart { axes, lines }
}

#[derive(Clone, Copy)]
enum End {
    Easiest,
    Hardest,
}

/// Mean over families of what is kept on one end of their levels.
fn contrast_points(report: &Report, series: &Series, end: End) -> Vec<Point> {
    let ends: Vec<&VariantRow> = report.families().into_iter().filter_map(|levels| end_of(levels, end)).collect();
    let Some(first) = ends.first() else { return Vec::new() };
    let compressions = report.rows_of(&first.name).filter(|row| row.series.as_ref() == Some(series));
    let points = compressions.filter_map(|compression| {
        let rows =
            ends.iter().filter_map(|v| report.rows_of(&v.name).find(|row| row.compression == compression.compression));
        let kept: Vec<f64> = rows.filter_map(|row| Some(1.0 - row.relative_drop?)).collect();
        let y = kept.iter().sum::<f64>() / kept.len() as f64;
        let label = format!("{}: {:.0} % kept, mean over {} families", compression.compression, y * 100.0, kept.len());
        (!kept.is_empty()).then_some(Point { x: compression.effective_bits, y, interval: None, label })
    });
    let mut points: Vec<Point> = points.collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    // Models that differ in their seed alone are one point.
    let same = |a: &Point, b: &Point| (a.x - b.x).abs() < 0.02;
    points.chunk_by(same).map(mean_point).collect()
}

fn mean_point(points: &[Point]) -> Point {
    let mean = |of: fn(&Point) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let labels: Vec<&str> = points.iter().map(|point| point.label.as_str()).collect();
    Point { x: mean(|point| point.x), y: mean(|point| point.y), interval: None, label: labels.join("; ") }
}

/// The easiest or the hardest level on which the dense model does not only guess.
fn end_of(levels: &[VariantRow], end: End) -> Option<&VariantRow> {
    let mut above_chance = levels.iter().filter(|level| level.standing != Standing::Floor);
    match end {
        End::Easiest => above_chance.next(),
        End::Hardest => above_chance.next_back(),
    }
}

/// What happened, in a sentence of numbers.
fn headline(report: &Report) -> String {
    let kept = |compression: &str| {
        let rows = report.variants.iter().filter(|v| v.standing != Standing::Floor).filter_map(|v| {
            let row = report.rows_of(&v.name).find(|row| row.compression == compression)?;
            Some(1.0 - row.relative_drop?)
        });
        let kept: Vec<f64> = rows.collect();
        kept.iter().sum::<f64>() / kept.len().max(1) as f64
    };
    let plan = report.compressions();
    let of = |wanted: Series| plan.iter().filter(move |c| c.series().as_ref() == Some(&wanted));
    let mut sentences = Vec::new();
    let tolerable = of(Series::Magnitude).filter(|c| kept(&c.name()) >= 0.9).map(Compression::strength);
    if of(Series::Magnitude).next().is_some() {
        let most = tolerable.fold(0.0, f64::max);
        sentences.push(format!(
            "Pruning by magnitude keeps 90 % of what the model can do above chance up to a sparsity of {:.0} %.",
            most * 100.0
        ));
    }
    if let Some(strongest) = of(Series::Magnitude).max_by(|a, b| a.strength().total_cmp(&b.strength())) {
        let share = kept(&strongest.name()).max(0.0) * 100.0;
        sentences.push(format!("At {:.0} % it keeps {share:.0} %.", strongest.strength() * 100.0));
    }
    let bits = of(Series::Quantization).filter(|c| kept(&c.name()) >= 0.9).map(|c| 16.0 - c.strength());
    let fewest = bits.fold(f64::INFINITY, f64::min);
    if fewest.is_finite() {
        sentences.push(format!("Rounding the same weights keeps as much down to {fewest:.0} bits."));
    }
    sentences.join(" ")
}

fn verdict(verdict: &Verdict) -> Value {
    let class = match verdict.outcome {
        Decision::Supported => "yes",
        Decision::Contradicted => "no",
        Decision::NotDecided => "open",
    };
    context! {
        claim => words::claim(verdict),
        outcome => words::decision(verdict.outcome),
        class,
        models => verdict.models.clone(),
        numbers => words::numbers(verdict),
        reason => verdict.reason.clone(),
        rule => verdict.rule.clone(),
        excluded => verdict.excluded.clone(),
        families => verdict.families.iter().map(|f| context! {
            family => f.family.clone(),
            effect => words::percent(f.effect),
            interval => words::interval(f.interval),
            p => words::p_value(f.p_holm),
        }).collect::<Vec<_>>(),
    }
}

/// One line a compressed model and task.
fn results(report: &Report) -> Vec<Value> {
    let pairs = report.variants.iter().enumerate().flat_map(|(at, variant)| {
        report.rows_of(&variant.name).enumerate().map(move |(model, row)| (at, variant, model, row))
    });
    let line = |(at, variant, model, row): (usize, &VariantRow, usize, &Row)| {
        context! {
            variant => at,
            model,
            task => variant.name.clone(),
            compression => row.compression.clone(),
            bits => format!("{:.1}", row.effective_bits),
            accuracy => format!("{:.1}", row.accuracy * 100.0),
            dense => format!("{:.1}", variant.dense_accuracy * 100.0),
            lost => relative(row, variant).filter(|_| model > 0).map(|lost| format!("{:.1}", lost * 100.0)),
            interval => row.relative_interval.filter(|_| model > 0 && variant.standing != Standing::Floor).map(words::interval),
        }
    };
    pairs.map(line).collect()
}

fn cost(cost: &super::ModelCost) -> Value {
    context! {
        compression => cost.compression.clone(),
        compressing => format!("{:.1}", cost.compressing),
        scoring => format!("{:.1}", cost.scoring),
        training => format!("{:.1}", cost.training),
        tokens => cost.tokens,
    }
}

/// Every question with every answer, for the script of the page. `<` is written so that no text can end the script.
fn data(report: &Report) -> Result<String, ExperimentError> {
    let variants = report.asked.iter().map(|asked| {
        let items = asked
            .items
            .iter()
            .map(|item| json!({ "c": tail(&item.context), "o": item.choices, "g": item.gold, "f": item.form }));
        let answers = asked.answers.iter().map(|chosen| {
            let answer = |(choice, &correct): (&Option<usize>, &bool)| {
                let choice = choice.map_or(-1, |choice| choice as i64);
                json!([choice, u8::from(correct)])
            };
            chosen.choice.iter().zip(&chosen.correct).map(answer).collect::<Vec<_>>()
        });
        json!({
            "name": asked.variant,
            "items": items.collect::<Vec<_>>(),
            "answers": answers.collect::<Vec<_>>(),
            "models": asked.answers.iter().map(|chosen| &chosen.compression).collect::<Vec<_>>(),
        })
    });
    let text = serde_json::to_string(&variants.collect::<Vec<_>>());
    Ok(text.map_err(|error| ExperimentError::Render(error.to_string()))?.replace('<', "\\u003c"))
}

fn task(variant: &VariantRow) -> Value {
    let standing = match variant.standing {
        Standing::Informative => "",
        Standing::Floor => "only guesses",
        Standing::Ceiling => "at its ceiling",
    };
    context! {
        name => variant.name.clone(),
        difficulty => format!("{} {}", variant.difficulty, variant.knob),
        items => variant.items,
        chance => format!("{:.0} %", variant.chance * 100.0),
        dense => format!("{:.0} %", variant.dense_accuracy * 100.0),
        p => words::p_value(variant.p_above_chance),
        standing,
        standing_key => name(&variant.standing),
    }
}

/// The end of a long text: the question is there.
fn tail(text: &str) -> String {
    const SHOWN: usize = 600;
    let length = text.chars().count();
    if length <= SHOWN {
        text.to_owned()
    } else {
        format!("… {}", text.chars().skip(length - SHOWN).collect::<String>())
    }
}
