use super::load;
use crate::arguments::Inspect;
use crate::error::CliError;
use crate::output;
use burn::module::{Module, ParamGroup};
use junkdna_backend::{HostMatrix, Selection, weights};
use junkdna_model::Model;
use serde::Serialize;

/// Powers of ten between which magnitudes are counted.
const EXPONENTS: std::ops::Range<i32> = -6..1;

#[derive(Serialize)]
struct Inspection {
    model: String,
    precision: String,
    parameters: usize,
    matrices: Vec<Matrix>,
    /// How many weights of the matrices have a magnitude below each of these, and not below the one before.
    magnitudes: Vec<Bin>,
}

#[derive(Serialize)]
struct Matrix {
    path: String,
    d_out: usize,
    d_in: usize,
    zeros: usize,
    mean_magnitude: f64,
    max_magnitude: f32,
}

#[derive(Serialize, Clone)]
struct Bin {
    below: f64,
    weights: usize,
}

pub fn run(arguments: &Inspect) -> Result<(), CliError> {
    let loaded = load(&arguments.source)?;
    let inspection = match &loaded.model {
        Model::Llama(model) => inspect(model, &loaded.source, &loaded.precision),
        Model::Bert(model) => inspect(model, &loaded.source, &loaded.precision),
    };
    if arguments.json { output::json(&inspection) } else { print(&inspection) }
}

fn inspect<M: Module>(model: &M, source: &str, precision: &str) -> Inspection {
    let mut magnitudes: Vec<Bin> = EXPONENTS.map(|e| Bin { below: 10f64.powi(e), weights: 0 }).collect();
    magnitudes.push(Bin { below: f64::INFINITY, weights: 0 });
    let selection = Selection { group: ParamGroup::all(), embeddings: true };
    let matrices = weights(model, &selection).into_iter().map(|weight| {
        let matrix = HostMatrix::from_weight(weight.value);
        count(matrix.as_slice(), &mut magnitudes);
        Matrix::new(weight.path, &matrix)
    });
    let matrices: Vec<Matrix> = matrices.collect();
    Inspection {
        model: source.into(),
        precision: precision.into(),
        parameters: model.num_params(),
        matrices,
        magnitudes,
    }
}

fn count(values: &[f32], bins: &mut [Bin]) {
    for value in values {
        let magnitude = f64::from(value.abs());
        if let Some(bin) = bins.iter_mut().find(|bin| magnitude < bin.below) {
            bin.weights += 1;
        }
    }
}

impl Matrix {
    fn new(path: String, matrix: &HostMatrix) -> Self {
        let values = matrix.as_slice();
        let sum: f64 = values.iter().map(|v| f64::from(v.abs())).sum();
        Self {
            path,
            d_out: matrix.d_out(),
            d_in: matrix.d_in(),
            zeros: values.iter().filter(|v| **v == 0.0).count(),
            mean_magnitude: sum / values.len().max(1) as f64,
            max_magnitude: values.iter().fold(0.0, |max, v| max.max(v.abs())),
        }
    }
}

fn print(inspection: &Inspection) -> Result<(), CliError> {
    let Inspection { model, precision, parameters, .. } = inspection;
    output::line(format!("{model}: {precision}, {parameters} parameters"))?;
    let rows: Vec<Vec<String>> = inspection
        .matrices
        .iter()
        .map(|m| {
            let share = 100.0 * m.zeros as f64 / (m.d_out * m.d_in).max(1) as f64;
            vec![
                m.path.clone(),
                format!("{} x {}", m.d_out, m.d_in),
                format!("{share:.2}"),
                format!("{:.5}", m.mean_magnitude),
                format!("{:.4}", m.max_magnitude),
            ]
        })
        .collect();
    output::table(&["parameter", "out x in", "zero %", "mean |w|", "max |w|"], &rows)?;
    let weights: usize = inspection.magnitudes.iter().map(|bin| bin.weights).sum();
    output::line("magnitudes:")?;
    for bin in &inspection.magnitudes {
        let share = bin.weights as f64 / weights.max(1) as f64;
        let bar = "#".repeat((share * 60.0).round() as usize);
        output::line(format!("  below {:<8} {:>6.2} %  {bar}", bin.below, 100.0 * share))?;
    }
    Ok(())
}
