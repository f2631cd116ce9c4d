use super::quantize::in_words;
use super::{calibration, compress, load, samples, selection};
use crate::arguments::Prune;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_experiment::{Compressed, Compression, ExperimentError, PruneMethod, Size};
use junkdna_quant::{Granularity, Scheme};
use serde_json::json;
use std::time::Instant;

pub fn run(arguments: Prune) -> Result<(), CliError> {
    let method = PruneMethod::by_name(&arguments.method, arguments.seed).map_err(CliError::Request)?;
    let target = match (arguments.sparsity, arguments.pattern) {
        (Some(sparsity), None) => match arguments.blocks {
            Some(shape) => format!("{shape}@{sparsity}"),
            None => sparsity.to_string(),
        },
        (None, Some(pattern)) => pattern.to_string(),
        _ => return Err(CliError::Request("give either --sparsity or --pattern".into())),
    };
    let allocation = arguments.allocation;
    let scope = arguments.scope.unwrap_or(method.default_scope(&allocation));
    method.check_scope(scope).map_err(CliError::Request)?;
    let true_sequential = arguments.true_sequential;
    if true_sequential {
        method.check_true_sequential().map_err(CliError::Request)?;
    }
    let rounding = match arguments.bits {
        None => None,
        Some(bits) => {
            method.check_rounding().map_err(CliError::Request)?;
            let granularity = arguments.group_size.map_or(Granularity::Channel, Granularity::Group);
            Some(Scheme::new(bits, arguments.symmetric, granularity)?)
        }
    };
    let compression = Compression::Prune { method, target, scope, allocation, rounding, true_sequential };
    arguments.format.check(&compression)?;
    let calibration = calibration(&arguments.calibration, &compression, arguments.seed)?;
    let selection = selection(&arguments.selection)?;
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load(&arguments.source)?;
    let samples = samples(calibration.as_ref(), &loaded)?;
    progress.label(&compression.name());
    let started = Instant::now();
    let (loaded, compressed) = compress(loaded, &compression, &selection, &samples, |share| progress.share(share))?;
    let seconds = started.elapsed().as_secs_f64();
    let Compressed::Pruned { mask, codes } = &compressed else { return Ok(()) };
    if !arguments.allow_empty {
        mask.check_none_empty().map_err(ExperimentError::from)?;
    }
    let parameters = loaded.model.num_parameters();
    let loaded = if arguments.shrink { loaded.shrink() } else { loaded };
    if let (Some(out), false) = (&arguments.out, arguments.dry_run) {
        progress.label(&format!("writing {}", out.display()));
        arguments.format.save(&loaded, &compressed, out)?;
    }
    if let (Some(file), false) = (&arguments.mask_out, arguments.dry_run) {
        mask.save(file)?;
    }
    progress.finish();
    let layers = mask.summary();
    let scheme = Scheme::new(8, false, Granularity::Channel)?;
    // What is left out has no place in a mask.
    let size = (!arguments.shrink).then(|| Size::of_pruned(mask, *codes, arguments.format, scheme)).transpose()?;
    if arguments.json {
        return output::json(&json!({
            "method": arguments.method, "compression": compression, "precision": loaded.precision, "seconds": seconds, "parameters": loaded.model.num_parameters(),
            "sparsity": mask.sparsity(), "removed": mask.removed(), "kept": mask.kept(), "size": size, "layers": layers,
        }));
    }
    let rows: Vec<Vec<String>> = layers
        .iter()
        .map(|layer| {
            let share = 100.0 * layer.removed as f64 / layer.weights as f64;
            vec![layer.path.clone(), layer.weights.to_string(), layer.removed.to_string(), format!("{share:.2}")]
        })
        .collect();
    output::table(&["parameter", "weights", "removed", "%"], &rows)?;
    output::line(format!(
        "in all {} of {} weights ({:.4} %)",
        mask.removed(),
        mask.removed() + mask.kept(),
        100.0 * mask.sparsity()
    ))?;
    match size {
        None => output::line(format!("{} of {parameters} parameters are left", loaded.model.num_parameters())),
        // Only codes that were counted have no counterpart.
        Some(size) if size.same_size.is_none() => {
            output::line(format!("{}; files hold the kept weights as floats", in_words(&size)))
        }
        Some(size) => output::line(in_words(&size)),
    }
}
