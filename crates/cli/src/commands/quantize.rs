use super::{calibration, compress, load, samples, selection};
use crate::arguments::Quantize;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_experiment::{Compressed, Compression, Quantizer};
use junkdna_quant::{Granularity, Scheme};
use serde_json::json;
use std::time::Instant;

pub fn run(arguments: Quantize) -> Result<(), CliError> {
    let quantizer = Quantizer::by_name(&arguments.method).map_err(CliError::Request)?;
    let granularity = arguments.group_size.map_or(Granularity::Channel, Granularity::Group);
    let scheme = Scheme::new(arguments.bits, arguments.symmetric, granularity)
        .map_err(|error| CliError::Request(error.to_string()))?;
    let compression = Compression::Quantize { quantizer, scheme };
    let calibration = calibration(&arguments.calibration, &compression, arguments.seed)?;
    let selection = selection(&arguments.selection)?;
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load(&arguments.source)?;
    let samples = samples(calibration.as_ref(), &loaded)?;
    progress.label(&compression.name());
    let started = Instant::now();
    let (loaded, compressed) = compress(loaded, &compression, &selection, &samples, |share| progress.share(share))?;
    let seconds = started.elapsed().as_secs_f64();
    let effective_bits = compressed.effective_bits();
    let Compressed::Quantized { summary, .. } = compressed else { return Ok(()) };
    if let (Some(out), false) = (&arguments.out, arguments.dry_run) {
        progress.label(&format!("writing {}", out.display()));
        loaded.save(out)?;
    }
    progress.finish();
    if arguments.json {
        return output::json(&json!({
            "method": arguments.method, "compression": compression, "precision": loaded.precision, "seconds": seconds,
            "effective_bits": effective_bits, "layers": summary.layers,
        }));
    }
    let rows: Vec<Vec<String>> = summary
        .layers
        .iter()
        .map(|layer| {
            vec![
                layer.path.clone(),
                layer.weights.to_string(),
                format!("{:.3}", layer.effective_bits),
                format!("{:.2}", 100.0 * layer.relative_error),
                layer.bytes.to_string(),
            ]
        })
        .collect();
    output::table(&["parameter", "weights", "bits", "error %", "bytes"], &rows)?;
    output::line(format!("in all {} weights at {effective_bits:.3} bits", summary.weights()))
}
