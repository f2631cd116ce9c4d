//! Families whose levels follow from what the dense model answers.

use super::Task;
use crate::plan::GapPlan;
use crate::{Cell, ExperimentError};
use junkdna_difficulty::setting::GapTask;
use junkdna_difficulty::suite::{Item, Variant};

/// A family to be graded once the dense model has been asked.
pub(crate) struct Grading {
    pub plan: GapPlan,
    /// The tasks; indices into the list of all.
    pub tasks: Vec<Graded>,
}

/// A task that is a part of a level.
pub(crate) struct Graded {
    pub human: f64,
    /// Pairs that measure the gap.
    pub grading: usize,
    /// Pairs that measure the loss.
    pub measured: usize,
}

/// Variants and their cells `[compression][variant][seed of training]`, with graded tasks joined to levels.
pub(crate) struct Levels {
    pub variants: Vec<Variant>,
    pub cells: Vec<Vec<Vec<Cell>>>,
}

/// Joins tasks to levels. A cell that is not there is of a task that only the dense model is asked.
pub(crate) fn levels(
    tasks: &[Task],
    gradings: &[Grading],
    cells: Vec<Vec<Option<Cell>>>,
) -> Result<Levels, ExperimentError> {
    let graded = |index: usize| {
        gradings.iter().any(|grading| grading.tasks.iter().any(|t| t.grading == index || t.measured == index))
    };
    let plain: Vec<usize> = (0..tasks.len()).filter(|&index| !graded(index)).collect();
    let mut variants: Vec<Variant> = plain.iter().map(|&index| tasks[index].variant.clone()).collect();
    let of = |row: &[Option<Cell>], index: usize| row.get(index).cloned().flatten();
    let mut joined: Vec<Vec<Cell>> =
        cells.iter().map(|row| plain.iter().filter_map(|&index| of(row, index)).collect()).collect();
    let alone = |joined: Vec<Vec<Cell>>| -> Vec<Vec<Vec<Cell>>> {
        joined.into_iter().map(|row| row.into_iter().map(|cell| vec![cell]).collect()).collect()
    };
    let Some(dense) = cells.first() else { return Ok(Levels { variants, cells: alone(joined) }) };
    for grading in gradings {
        for (level, group) in grading.group(tasks, dense)?.into_iter().enumerate() {
            let members: Vec<usize> = group.iter().map(|&member| grading.tasks[member].measured).collect();
            let variant = grading.variant(level, tasks, &members, grading.mean_gap(dense, &group));
            for (row, joined) in cells.iter().zip(&mut joined) {
                let parts: Vec<Cell> = members.iter().filter_map(|&index| of(row, index)).collect();
                joined.extend(join(&parts, &variant.name));
            }
            variants.push(variant);
        }
    }
    Ok(Levels { variants, cells: alone(joined) })
}

impl Grading {
    fn gap_task(&self, dense: &[Option<Cell>], graded: &Graded, name: &str) -> GapTask {
        let answers = dense.get(graded.grading).and_then(Option::as_ref).map_or(&[][..], |cell| &cell.answers);
        let right = answers.iter().filter(|answer| answer.correct).count();
        GapTask { name: name.to_owned(), human: graded.human, dense: right as f64 / answers.len().max(1) as f64 }
    }

    fn group(&self, tasks: &[Task], dense: &[Option<Cell>]) -> Result<Vec<Vec<usize>>, ExperimentError> {
        let of = |graded: &Graded| self.gap_task(dense, graded, &tasks[graded.measured].variant.name);
        Ok(self.plan.knob().group(&self.tasks.iter().map(of).collect::<Vec<_>>())?)
    }

    fn mean_gap(&self, dense: &[Option<Cell>], group: &[usize]) -> f64 {
        let gaps = group.iter().map(|&member| self.gap_task(dense, &self.tasks[member], "").gap());
        gaps.sum::<f64>() / group.len().max(1) as f64
    }

    fn variant(&self, level: usize, tasks: &[Task], members: &[usize], gap: f64) -> Variant {
        let name = &self.plan.name;
        let items: Vec<Item> = members.iter().flat_map(|&index| tasks[index].variant.items.iter().cloned()).collect();
        Variant {
            family: name.clone(),
            name: format!("{name}/gap {} of {}", level + 1, self.plan.levels),
            level,
            difficulty: (gap * 1000.0).round() / 1000.0,
            knob: "human-model gap".to_owned(),
            items,
        }
    }
}

/// The cells of one model as one.
fn join(parts: &[Cell], name: &str) -> Option<Cell> {
    let mut whole = parts.first()?.clone();
    whole.spec.variant = name.to_owned();
    whole.answers = parts.iter().flat_map(|cell| cell.answers.iter().cloned()).collect();
    Some(whole)
}
