use super::{calibration, compress, load, samples, selection};
use crate::arguments::{Codebook, Quantize, Scales};
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_backend::Selection;
use junkdna_experiment::{Compressed, Compression, QuantizeOptions, Quantizer, SameSize, Size, width_of_size};
use junkdna_model::{Loaded, Model};
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
        activations: arguments.activations,
    };
    let asked = scheme(&arguments, quantizer)?;
    let compression = Compression::Quantize { quantizer, scheme: asked, options: options.clone() };
    arguments.format.check(&compression)?;
    let calibration = calibration(&arguments.calibration, &compression, arguments.seed)?;
    let selection = selection(&arguments.selection)?;
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load(&arguments.source)?;
    let compression = match arguments.match_sparsity {
        None => compression,
        Some(_) => {
            Compression::Quantize { quantizer, scheme: matched(&arguments, asked, &loaded, &selection)?, options }
        }
    };
    let samples = samples(calibration.as_ref(), &loaded)?;
    progress.label(&compression.name());
    let started = Instant::now();
    let (loaded, compressed) = compress(loaded, &compression, &selection, &samples, |share| progress.share(share))?;
    let seconds = started.elapsed().as_secs_f64();
    if let (Some(out), false) = (&arguments.out, arguments.dry_run) {
        progress.label(&format!("writing {}", out.display()));
        arguments.format.save(&loaded, &compressed, out)?;
    }
    let Compressed::Quantized { summary, weights, input_bits } = compressed else { return Ok(()) };
    progress.finish();
    let effective_bits = summary.effective_bits();
    let size = Size::of_codes(weights.values(), arguments.format, input_bits);
    if arguments.json {
        return output::json(&json!({
            "method": arguments.method, "compression": compression, "precision": loaded.precision, "seconds": seconds,
            "effective_bits": effective_bits, "size": size, "layers": summary.layers,
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
    output::line(format!("in all {} weights at {effective_bits:.3} bits", summary.weights()))?;
    size.map_or(Ok(()), |size| output::line(in_words(&size)))
}

/// How large that is in a file, and what is as large.
pub fn in_words(size: &Size) -> String {
    let Size { format, bytes, bits_per_weight, same_size } = size;
    let same = match same_size {
        None => String::new(),
        Some(SameSize::Codes { format, bits, bytes }) => {
            format!("; nearest to that are codes of {bits} bits, {bytes} bytes as {format}")
        }
        Some(SameSize::Sparse { format, sparsity }) => {
            format!("; as large as pruned to a sparsity of {:.2} % as {format}", 100.0 * sparsity)
        }
    };
    format!("{bytes} bytes as {format}, {bits_per_weight:.3} bits a weight{same}")
}

/// The scheme with the width of the sparsity that is asked for.
fn matched(arguments: &Quantize, scheme: Scheme, loaded: &Loaded, selection: &Selection) -> Result<Scheme, CliError> {
    let Some(sparsity) = arguments.match_sparsity else { return Ok(scheme) };
    let (format, sparsity) = (arguments.format, sparsity.value());
    let bits = match &loaded.model {
        Model::Llama(model) => width_of_size(model, selection, scheme, format, sparsity)?,
        Model::Bert(model) => width_of_size(model, selection, scheme, format, sparsity)?,
    };
    Ok(scheme.with_bits(bits)?)
}

/// The codes that are asked for.
fn scheme(arguments: &Quantize, quantizer: Quantizer) -> Result<Scheme, CliError> {
    let granularity = arguments.group_size.map_or(Granularity::Channel, Granularity::Group);
    let scheme = match (arguments.codebook, arguments.bits) {
        (Some(Codebook::Nf4), _) => Scheme::of(Codes::Nf4, granularity),
        (Some(Codebook::Fp4), _) => Scheme::of(Codes::Fp4, granularity),
        (None, Some(bits)) => quantizer.scheme(bits, arguments.symmetric, granularity),
        // Only until the model is there.
        (None, None) if arguments.match_sparsity.is_some() => quantizer.scheme(8, arguments.symmetric, granularity),
        (None, None) => return Err(CliError::Request("give --bits, --codebook or --match-sparsity".into())),
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
