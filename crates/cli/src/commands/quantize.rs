use super::{calibration, compress, load, samples, selection};
use crate::arguments::{Codebook, Quantize, Scales};
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_experiment::{Compressed, Compression, QuantizeOptions, Quantizer};
use junkdna_quant::{Codes, Granularity, ScaleDtype, Scheme, ZeroPoint};
use serde_json::json;
use std::time::Instant;

pub fn run(arguments: Quantize) -> Result<(), CliError> {
    let quantizer = Quantizer::by_name(&arguments.method).map_err(CliError::Request)?;
    let options = QuantizeOptions {
        range: arguments.range,
        widths: arguments.width.clone(),
        activation_order: arguments.act_order,
        static_grids: arguments.static_groups,
        keep_zeros: arguments.keep_zeros,
    };
    let compression = Compression::Quantize { quantizer, scheme: scheme(&arguments, quantizer)?, options };
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
    let effective_bits = compressed.effective_bits();
    if let (Some(out), false) = (&arguments.out, arguments.dry_run) {
        progress.label(&format!("writing {}", out.display()));
        arguments.format.save(&loaded, &compressed, out)?;
    }
    let Compressed::Quantized { summary, .. } = compressed else { return Ok(()) };
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
                layer.output_error.map_or_else(|| "-".into(), |error| format!("{:.2}", 100.0 * error)),
                layer.bytes.to_string(),
            ]
        })
        .collect();
    output::table(&["parameter", "weights", "bits", "error %", "of outputs %", "bytes"], &rows)?;
    output::line(format!("in all {} weights at {effective_bits:.3} bits", summary.weights()))
}

/// The codes that are asked for.
fn scheme(arguments: &Quantize, quantizer: Quantizer) -> Result<Scheme, CliError> {
    let granularity = arguments.group_size.map_or(Granularity::Channel, Granularity::Group);
    let scheme = match (arguments.codebook, arguments.bits) {
        (Some(Codebook::Nf4), _) => Scheme::of(Codes::Nf4, granularity),
        (Some(Codebook::Fp4), _) => Scheme::of(Codes::Fp4, granularity),
        (None, Some(bits)) => quantizer.scheme(bits, arguments.symmetric, granularity),
        (None, None) => return Err(CliError::Request("give --bits or --codebook".into())),
    }?;
    let scheme = scheme.with_scales(match arguments.scales {
        Scales::F32 => ScaleDtype::F32,
        Scales::F16 => ScaleDtype::F16,
        Scales::Bf16 => ScaleDtype::BF16,
    })?;
    match arguments.keep_zeros && !scheme.keeps_zero() {
        // HQQ with zero points that are codes.
        true => Ok(scheme.with_zero_point(ZeroPoint::Code)?),
        false => Ok(scheme),
    }
}
