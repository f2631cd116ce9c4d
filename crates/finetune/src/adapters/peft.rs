//! Adapters in the layout of PEFT: `adapter_config.json` and `adapter_model.safetensors`.

use super::{AdapterConfig, FrozenMatrices, attach_on, factor};
use crate::FinetuneError;
use crate::checkpoint::{Checkpoint, Progress};
use crate::files::write_whole;
use burn::module::Module;
use junkdna_backend::Seed;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What every name begins with.
const PREFIX: &str = "base_model.model.";

/// What is read of PEFT's configuration.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    #[serde(default)]
    rank_pattern: HashMap<String, usize>,
    #[serde(default)]
    alpha_pattern: HashMap<String, f64>,
}

/// What the module is for PEFT.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// Where the base model is, as the adapter's configuration says it.
    pub model: &'a str,
    /// PEFT's task, such as `SEQ_CLS` or `CAUSAL_LM`.
    pub task: &'a str,
}

/// Writes the adapters of a module, and what trains whole beside them, to a folder. `name` gives the Hugging Face name of a
/// parameter path.
///
/// # Errors
/// [`FinetuneError::Io`], or [`FinetuneError::NoTargets`] for a module without adapters.
pub fn save<M: Module>(
    module: &M,
    config: &AdapterConfig,
    base: Base<'_>,
    folder: &Path,
    name: impl Fn(&str) -> String,
) -> Result<(), FinetuneError> {
    let [_, whole] = config.groups()?;
    let checkpoint = Checkpoint::of_module(module, Progress::default())?;
    let mut tensors = BTreeMap::new();
    let (mut targets, mut modules) = (Vec::new(), Vec::new());
    for (path, shape, values) in checkpoint.weights() {
        if let Some((weight, factor)) = factor(path) {
            let target = name(weight).trim_end_matches(".weight").to_owned();
            // Ours are [d_in, rank] and [rank, d_out], theirs the transposes.
            tensors.insert(format!("{PREFIX}{target}.{}", factor.peft()), transposed(shape, values));
            targets.push(target);
        } else if whole.matches(&burn::module::ParamId::from(0), Some(path)) {
            let stored = name(path);
            modules.push(stored.split('.').next().unwrap_or_default().to_owned());
            tensors.insert(format!("{PREFIX}{stored}"), (shape.to_vec(), values.to_vec()));
        }
    }
    targets.sort();
    targets.dedup();
    modules.sort();
    modules.dedup();
    if targets.is_empty() {
        return Err(FinetuneError::NoTargets { patterns: config.targets.join(", ") });
    }
    let description = json!({
        "peft_type": "LORA", "task_type": base.task, "base_model_name_or_path": base.model,
        "r": config.rank, "lora_alpha": config.alpha, "lora_dropout": 0.0, "bias": "none",
        "use_rslora": config.rank_stabilized, "use_dora": config.dora, "fan_in_fan_out": false,
        "target_modules": targets, "modules_to_save": if modules.is_empty() { None } else { Some(modules) },
        "inference_mode": true, "init_lora_weights": true,
    });
    std::fs::create_dir_all(folder).map_err(FinetuneError::io(folder))?;
    write_whole(&folder.join(WEIGHTS), &bytes(&tensors).map_err(|problem| broken(folder, problem))?)?;
    write_whole(&folder.join(CONFIG), format!("{description:#}\n").as_bytes())
}

/// The module with the adapters of a folder, and their configuration, whose targets are the very matrices that have one.
/// `name` as of [`save`].
///
/// # Errors
/// [`FinetuneError::Io`], or [`FinetuneError::Checkpoint`]: no LoRA or DoRA, options that are not supported, tensors of
/// other shapes or for parameters that the module does not have.
pub fn load<M: Module>(
    module: M,
    folder: &Path,
    name: impl Fn(&str) -> String,
) -> Result<(M, AdapterConfig), FinetuneError> {
    load_on(module, folder, &FrozenMatrices::new(), name)
}

/// As [`load`], with matrices of codes in the place of the module's own, as [`attach_on`] has them.
///
/// # Errors
/// As [`load`] and [`attach_on`].
pub fn load_on<M: Module>(
    module: M,
    folder: &Path,
    bases: &FrozenMatrices,
    name: impl Fn(&str) -> String,
) -> Result<(M, AdapterConfig), FinetuneError> {
    let path = folder.join(CONFIG);
    let text = std::fs::read(&path).map_err(FinetuneError::io(&path))?;
    let found: PeftConfig = serde_json::from_slice(&text).map_err(|error| broken(&path, error.to_string()))?;
    check(&found).map_err(|problem| broken(&path, problem))?;
    let path = folder.join(WEIGHTS);
    let bytes = std::fs::read(&path).map_err(FinetuneError::io(&path))?;
    let mut tensors = read(&bytes).map_err(|problem| broken(&path, problem))?;

    let plain = Checkpoint::of_module(&module, Progress::default())?;
    let parameters: Vec<String> = plain.weights().map(|(path, ..)| path.to_owned()).collect();
    let has = |path: &&String| tensors.contains_key(&format!("{PREFIX}{}.lora_A.weight", stem(&name(path))));
    let exactly = |path: &String| format!("^{}$", path.replace('.', "\\."));
    let whole = parameters.iter().filter(|path| tensors.contains_key(&format!("{PREFIX}{}", name(path))));
    let config = AdapterConfig {
        rank: found.r,
        alpha: found.lora_alpha,
        rank_stabilized: found.use_rslora,
        dora: found.use_dora,
        targets: parameters.iter().filter(has).map(exactly).collect(),
        trained_whole: whole.map(exactly).collect(),
    };
    let module = attach_on(module, &config, bases, Seed(0))?;
    let mut filled = Checkpoint::of_module(&module, Progress::default())?;
    filled.replace(&path, |path, shape| {
        let (stored, transposes) = match factor(path) {
            Some((weight, factor)) => (format!("{}.{}", stem(&name(weight)), factor.peft()), true),
            None => (name(path), false),
        };
        let Some((found, values)) = tensors.remove(&format!("{PREFIX}{stored}")) else { return Ok(None) };
        let (found, values) = if transposes { transposed(&found, &values) } else { (found, values) };
        if found == shape { Ok(Some(values)) } else { Err(format!("{stored} is {found:?}, the model needs {shape:?}")) }
    })?;
    if let Some(left) = tensors.keys().next() {
        return Err(broken(&path, format!("{left} has no place in the model")));
    }
    Ok((filled.restore_module(module)?, config))
}

fn check(config: &PeftConfig) -> Result<(), String> {
    match config {
        PeftConfig { peft_type, .. } if peft_type != "LORA" => {
            Err(format!("peft_type is `{peft_type}`, it must be LORA"))
        }
        PeftConfig { fan_in_fan_out: true, .. } => Err("fan_in_fan_out must be false".into()),
        PeftConfig { rank_pattern, alpha_pattern, .. } if !rank_pattern.is_empty() || !alpha_pattern.is_empty() => {
            Err("rank_pattern and alpha_pattern must be empty".into())
        }
        _ => Ok(()),
    }
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".weight").unwrap_or(name)
}

fn broken(path: &Path, problem: String) -> FinetuneError {
    FinetuneError::Checkpoint { path: path.into(), problem }
}

type Values = (Vec<usize>, Vec<f32>);

/// The transpose of a matrix; a vector is its own.
fn transposed(shape: &[usize], values: &[f32]) -> Values {
    let [rows, columns] = *shape else { return (shape.to_vec(), values.to_vec()) };
    let turned = (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect();
    (vec![columns, rows], turned)
}

fn bytes(tensors: &BTreeMap<String, Values>) -> Result<Vec<u8>, String> {
    let mut views = Vec::with_capacity(tensors.len());
    for (name, (shape, values)) in tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values));
        views.push((name, view.map_err(|error| error.to_string())?));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(|error| error.to_string())
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, Values>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let values = |(name, view): (String, TensorView<'_>)| match view.dtype() {
        Dtype::F32 => {
            let values = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Ok((name, (view.shape().to_vec(), values)))
        }
        other => Err(format!("{name} is {other:?}, it must be F32")),
    };
    file.tensors().into_iter().map(values).collect()
}
