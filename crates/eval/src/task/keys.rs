//! The keys of task files.

use super::prompt::{Choices, Prompt};
use super::shots::Sampler;
use super::source::{Source, format, located};
use super::{FewShot, Generation, OutputType, Splits, Task};
use crate::filter::Pipeline;
use crate::hub::HubSet;
use crate::metrics::Measure;
use crate::node::Node;
use crate::retrieval::Retrieval;
use crate::{Contexts, EvalError, GoldPosition, Sampling};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// All keys of a task file, those last that say nothing about prompts or numbers.
const KNOWN: [&str; 33] = [
    "task",
    "data",
    "docs",
    "dataset_path",
    "dataset_name",
    "dataset_kwargs",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "doc_to_text",
    "doc_to_text_pair",
    "doc_to_target",
    "doc_to_choice",
    "target_delimiter",
    "fewshot_delimiter",
    "fewshot_config",
    "gen_prefix",
    "description",
    "num_fewshot",
    "output_type",
    "generation_kwargs",
    "metric_list",
    "filter_list",
    "retrieval",
    "repeats",
    "tag",
    "group",
    "task_alias",
    "metadata",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "recipe",
];

/// The keys of a map, taken one by one.
struct Keys<'a> {
    path: &'a Path,
    /// What stands before the names of keys in messages.
    within: &'a str,
    entries: Vec<(String, Node)>,
}

impl<'a> Keys<'a> {
    fn take(&mut self, key: &str) -> Option<Node> {
        let place = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(place).1).filter(|node| *node != Node::Null)
    }

    fn wrong(&self, key: &str, problem: impl AsRef<str>) -> EvalError {
        EvalError::task(self.path, format!("{}{key}: {}", self.within, problem.as_ref()))
    }

    fn expected(&self, key: &str, node: &Node, expected: &str) -> EvalError {
        self.wrong(key, format!("is {}, {expected} is expected", node.kind()))
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, EvalError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(key, &other, "a text")),
        }
    }

    fn count(&mut self, key: &str) -> Result<Option<usize>, EvalError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Int(number)) if number >= 0 => Ok(Some(number as usize)),
            Some(other) => Err(self.expected(key, &other, "a count")),
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<f64>, EvalError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Int(number)) => Ok(Some(number as f64)),
            Some(Node::Float(number)) => Ok(Some(number)),
            Some(other) => Err(self.expected(key, &other, "a number")),
        }
    }

    fn list(&mut self, key: &str) -> Result<Option<Vec<Node>>, EvalError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::List(items)) => Ok(Some(items)),
            Some(other) => Err(self.expected(key, &other, "a list")),
        }
    }

    fn map(&mut self, key: &'a str) -> Result<Option<Vec<(String, Node)>>, EvalError> {
        match self.take(key) {
            None => Ok(None),
            Some(Node::Map(entries)) => Ok(Some(entries)),
            Some(other) => Err(self.expected(key, &other, "a map")),
        }
    }

    /// The end of a map within a file's: what is left is unknown.
    fn end(self) -> Result<(), EvalError> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(self.wrong(key, "is no known key")),
        }
    }
}

impl Task {
    /// From the keys of a file.
    pub(crate) fn from_keys(path: &Path, entries: Vec<(String, Node)>) -> Result<Self, EvalError> {
        if let Some((key, name)) = entries.iter().find_map(|(key, node)| node.function(key)) {
            let problem = format!("{key}: `!function {name}` is Python, which is not run; only templates are");
            return Err(EvalError::task(path, problem));
        }
        let own = path.extension().is_some_and(|extension| extension == "toml");
        let mut keys = Keys { path, within: "", entries };
        if crate::suite::is_group(&keys.entries) {
            return Err(keys.wrong("group", "the file describes a group of tasks, which `Suite::load` reads"));
        }
        if let Some((key, _)) = keys.entries.iter().find(|(key, _)| !KNOWN.contains(&key.as_str())) {
            return Err(keys.wrong(key, "is no known key"));
        }
        let task = keys.text("task")?.ok_or_else(|| keys.wrong("task", "is missing, the task's name is expected"))?;
        let source = source(&mut keys, own)?;
        let splits = splits(&mut keys, &source, own)?;
        let fewshot_delimiter = keys.text("fewshot_delimiter")?.unwrap_or_else(|| "\n\n".into());
        let prompt = prompt(&mut keys, None)?;
        let fewshot = fewshot(&mut keys, &prompt, &splits, &fewshot_delimiter, own)?;
        let description = keys.text("description")?.unwrap_or_default();
        let shots = keys.count("num_fewshot")?;
        let output = output(&mut keys, own && prompt.choices.is_some())?;
        let generation = generation(&mut keys, &fewshot_delimiter)?;
        let measures = measures(&mut keys, output)?;
        let filters = filters(&mut keys)?;
        if !matches!(keys.take("repeats"), None | Some(Node::Int(1))) {
            return Err(keys.wrong("repeats", "only 1 is possible: a document is answered once"));
        }
        let version = match keys.map("metadata") {
            Ok(Some(entries)) => entries.into_iter().find(|(key, _)| key == "version").map(|(_, node)| node.to_json()),
            // A bare value is the user's own affair.
            _ => None,
        };
        Ok(Self {
            task,
            alias: keys.text("task_alias")?,
            version,
            num_fewshot: shots.unwrap_or(0),
            description,
            output,
            generation,
            measures,
            filters,
            path: path.to_owned(),
            source,
            splits,
            prompt,
            fewshot,
            fewshot_delimiter,
            retrieval: retrieval(&mut keys)?,
            never_shots: !own && shots == Some(0),
            left_out: Vec::new(),
        })
    }
}

fn source(keys: &mut Keys, own: bool) -> Result<Source, EvalError> {
    let docs = keys.list("docs")?;
    let data = keys.text("data")?;
    let dataset = keys.text("dataset_path")?;
    let name = keys.text("dataset_name")?;
    let options = keys.map("dataset_kwargs")?.unwrap_or_default();
    match (docs, data, dataset) {
        (Some(docs), None, None) if !docs.is_empty() => Ok(Source::Own(docs.iter().map(Node::to_json).collect())),
        (None, Some(data), None) => {
            let format = crate::data::Format::of(Path::new(&data));
            let format = format.ok_or_else(|| keys.wrong("data", format!("`{data}` has no known extension")))?;
            Ok(Source::Files { splits: vec![("test".into(), vec![data.into()])], format })
        }
        (None, None, Some(dataset)) => hub_or_files(keys, dataset, name, options),
        (Some(_), Some(_), _) => Err(EvalError::task(keys.path, "has both `data` and `docs`; give one")),
        _ if own => {
            let problem = "has no documents; give `data = \"FILE.jsonl\"`, [[docs]] tables or `dataset_path`";
            Err(EvalError::task(keys.path, problem))
        }
        _ => Err(keys.wrong("dataset_path", "is missing")),
    }
}

fn hub_or_files(
    keys: &Keys,
    dataset: String,
    name: Option<String>,
    mut options: Vec<(String, Node)>,
) -> Result<Source, EvalError> {
    let kwargs = options.iter().map(|(key, node)| (key.clone(), node.to_json())).collect();
    let files = options.iter().position(|(key, _)| key == "data_files").map(|place| options.remove(place).1);
    options.retain(|(key, _)| key != "trust_remote_code");
    let options: Vec<(String, Value)> = options.into_iter().map(|(key, node)| (key, node.to_json())).collect();
    let format = format(&dataset, &options).map_err(|problem| keys.wrong("dataset_kwargs", problem))?;
    let Some(format) = format else {
        let folder = located(keys.path, &PathBuf::from(&dataset).join(name.as_deref().unwrap_or_default()));
        let set = || HubSet { name: dataset, config: name, kwargs };
        return Ok(if folder.is_dir() { Source::Folder(folder) } else { Source::Hub(set()) });
    };
    let splits = match files {
        Some(Node::Map(splits)) => {
            let split = |(split, node): (String, Node)| Ok((split, paths(keys, node)?));
            splits.into_iter().map(split).collect::<Result<_, EvalError>>()?
        }
        Some(files) => vec![("train".into(), paths(keys, files)?)],
        None => return Err(keys.wrong("dataset_kwargs", format!("`{dataset}` needs `data_files`"))),
    };
    Ok(Source::Files { splits, format })
}

fn paths(keys: &Keys, node: Node) -> Result<Vec<PathBuf>, EvalError> {
    let file = |node: Node| match node {
        Node::Text(file) => Ok(PathBuf::from(file)),
        other => Err(keys.expected("dataset_kwargs.data_files", &other, "a file name")),
    };
    match node {
        Node::List(files) => files.into_iter().map(file).collect(),
        other => Ok(vec![file(other)?]),
    }
}

fn splits(keys: &mut Keys, source: &Source, own: bool) -> Result<Splits, EvalError> {
    let mut splits = Splits {
        training: keys.text("training_split")?,
        validation: keys.text("validation_split")?,
        test: keys.text("test_split")?,
        fewshot: keys.text("fewshot_split")?,
    };
    // Documents without splits are asked and are the examples.
    let single = match source {
        Source::Own(_) => true,
        Source::Files { splits, .. } => own && splits.len() == 1 && splits[0].0 == "test",
        _ => false,
    };
    if single && splits.test.is_none() && splits.validation.is_none() {
        splits.test = Some("test".into());
        splits.fewshot = splits.fewshot.or_else(|| splits.test.clone());
    }
    if splits.test.is_none() && splits.validation.is_none() {
        return Err(keys.wrong("test_split", "is missing, and so is validation_split; one of them is needed"));
    }
    Ok(splits)
}

/// The prompt of the task, or of its examples, which `base` is the default of.
fn prompt(keys: &mut Keys, base: Option<&Prompt>) -> Result<Prompt, EvalError> {
    let mut required = |key: &str, base: Option<&Value>| match (keys.take(key), base) {
        (Some(node @ (Node::Text(_) | Node::Int(_))), _) => Ok(node.to_json()),
        (Some(node @ Node::List(_)), _) if key == "doc_to_target" => Ok(node.to_json()),
        (Some(other), _) => Err(keys.expected(key, &other, "a template")),
        (None, Some(base)) => Ok(base.clone()),
        (None, None) => Err(keys.wrong(key, "is missing")),
    };
    let text = required("doc_to_text", base.map(|base| &base.text))?;
    let target = required("doc_to_target", base.map(|base| &base.target))?;
    let texts = |items: Vec<Node>| items.iter().map(|item| super::prompt::text(&item.to_json())).collect();
    let choices = match keys.take("doc_to_choice") {
        None => base.and_then(|base| base.choices.clone()),
        Some(Node::Text(template)) => Some(Choices::Template(template)),
        Some(Node::List(items)) => Some(Choices::Fixed(texts(items))),
        Some(Node::Map(entries)) => Some(Choices::Fixed(texts(entries.into_iter().map(|(_, node)| node).collect()))),
        Some(other) => return Err(keys.expected("doc_to_choice", &other, "a template or a list")),
    };
    let delimiter = keys.text("target_delimiter")?.or_else(|| base.map(|base| base.target_delimiter.clone()));
    let gen_prefix = keys.text("gen_prefix")?.or_else(|| base.and_then(|base| base.gen_prefix.clone()));
    let pair = keys.text("doc_to_text_pair")?.or_else(|| base.and_then(|base| base.pair.clone()));
    Ok(Prompt { text, target, choices, gen_prefix, pair, target_delimiter: delimiter.unwrap_or_else(|| " ".into()) })
}

fn fewshot(keys: &mut Keys, base: &Prompt, splits: &Splits, delimiter: &str, own: bool) -> Result<FewShot, EvalError> {
    let given = keys.map("fewshot_config")?;
    let mut inner = Keys { path: keys.path, within: "fewshot_config.", entries: given.unwrap_or_default() };
    let first = own && splits.training.is_none();
    let sampler = match inner.text("sampler")?.as_deref() {
        None if first => Sampler::FirstN,
        None | Some("default") => Sampler::Random,
        Some("first_n") => Sampler::FirstN,
        Some("balanced") => Sampler::Balanced,
        Some(other) => {
            return Err(inner.wrong("sampler", format!("`{other}` is none of default, first_n and balanced")));
        }
    };
    let samples = inner.list("samples")?.map(|samples| samples.iter().map(Node::to_json).collect());
    let split = inner.text("split")?.or_else(|| splits.fewshot.clone());
    let delimiter = inner.text("fewshot_delimiter")?.unwrap_or_else(|| delimiter.to_owned());
    let prompt = prompt(&mut inner, Some(base))?;
    inner.end()?;
    Ok(FewShot { sampler, samples, split, delimiter, prompt })
}

fn output(keys: &mut Keys, choice: bool) -> Result<OutputType, EvalError> {
    Ok(match keys.text("output_type")?.as_deref() {
        None if choice => OutputType::MultipleChoice,
        None | Some("generate_until") => OutputType::GenerateUntil,
        Some("multiple_choice") => OutputType::MultipleChoice,
        Some("loglikelihood") => OutputType::LogLikelihood,
        Some("loglikelihood_rolling") => OutputType::LogLikelihoodRolling,
        Some("classification") => OutputType::Classification,
        Some(other) => {
            let known = "multiple_choice, loglikelihood, loglikelihood_rolling, generate_until and classification";
            return Err(keys.wrong("output_type", format!("`{other}` is none of {known}")));
        }
    })
}

fn generation(keys: &mut Keys, delimiter: &str) -> Result<Generation, EvalError> {
    let entries = keys.map("generation_kwargs")?.unwrap_or_default();
    let mut inner = Keys { path: keys.path, within: "generation_kwargs.", entries };
    let until = match inner.take("until") {
        None => vec![delimiter.to_owned()],
        Some(Node::Text(text)) => vec![text],
        Some(Node::List(items)) => items.iter().map(|item| super::prompt::text(&item.to_json())).collect(),
        Some(other) => return Err(inner.expected("until", &other, "a text or a list of texts")),
    };
    let mut tokens = None;
    for key in ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"] {
        let given = inner.count(key)?;
        tokens = tokens.or(given);
    }
    let sampling = sampling(&mut inner)?;
    // Without beams it changes nothing.
    inner.take("num_beams");
    inner.end()?;
    Ok(Generation { until, max_tokens: tokens.unwrap_or(256), sampling })
}

/// Of how many tokens Transformers draws one where nobody says.
const TOP_K: usize = 50;

/// As lm-evaluation-harness: sampled where `do_sample` says so, or where it says nothing and there is a temperature; what the
/// task leaves open is as Transformers has it. Of `top_k` 0 takes the limit away.
fn sampling(keys: &mut Keys) -> Result<Option<Sampling>, EvalError> {
    let asked = match keys.take("do_sample") {
        None => None,
        Some(Node::Bool(asked)) => Some(asked),
        Some(other) => return Err(keys.expected("do_sample", &other, "true or false")),
    };
    let temperature = keys.number("temperature")?;
    let top_k = Some(keys.count("top_k")?.unwrap_or(TOP_K)).filter(|&top_k| top_k > 0);
    let top_p = keys.number("top_p")?;
    let seed = keys.count("seed")?.unwrap_or(0) as u64;
    if !asked.unwrap_or(temperature.is_some_and(|temperature| temperature > 0.0)) {
        return Ok(None);
    }
    let temperature = temperature.unwrap_or(1.0);
    if temperature <= 0.0 {
        return Err(keys.wrong("temperature", format!("is {temperature}; to draw tokens it must be above 0")));
    }
    if let Some(top_p) = top_p.filter(|&top_p| top_p <= 0.0 || top_p > 1.0) {
        return Err(keys.wrong("top_p", format!("is {top_p}, it must be in (0, 1]")));
    }
    Ok(Some(Sampling { temperature, top_k, top_p, seed }))
}

fn retrieval(keys: &mut Keys) -> Result<Option<Retrieval>, EvalError> {
    let Some(entries) = keys.map("retrieval")? else { return Ok(None) };
    let mut inner = Keys { path: keys.path, within: "retrieval.", entries };
    let tokens = inner.count("tokens")?.ok_or_else(|| inner.wrong("tokens", "is missing; 0 is closed book"))?;
    let gold = match inner.text("gold")?.as_deref() {
        None | Some("first") => GoldPosition::First,
        Some("middle") => GoldPosition::Middle,
        Some("last") => GoldPosition::Last,
        Some("drawn") => GoldPosition::Drawn,
        Some(other) => return Err(inner.wrong("gold", format!("`{other}` is none of first, middle, last and drawn"))),
    };
    let seed = inner.count("seed")?.unwrap_or(0) as u64;
    let passages = inner.text("passages")?.map(PathBuf::from);
    let drop_unanswerable = match inner.text("unanswerable")?.as_deref() {
        None | Some("keep") => false,
        Some("drop") => true,
        Some(other) => return Err(inner.wrong("unanswerable", format!("`{other}` is neither keep nor drop"))),
    };
    inner.end()?;
    Ok(Some(Retrieval { contexts: Contexts { tokens, gold, seed }, passages, drop_unanswerable }))
}

fn measures(keys: &mut Keys, output: OutputType) -> Result<Vec<Measure>, EvalError> {
    let Some(items) = keys.list("metric_list")? else { return Ok(Measure::defaults(output)) };
    let measure = |item: Node| {
        let Node::Map(entries) = item else { return Err(keys.expected("metric_list", &item, "a list of maps")) };
        Measure::new(&entries, output).map_err(|problem| keys.wrong("metric_list", problem))
    };
    items.into_iter().map(measure).collect()
}

fn filters(keys: &mut Keys) -> Result<Vec<Pipeline>, EvalError> {
    let Some(items) = keys.list("filter_list")? else { return Ok(vec![Pipeline::none()]) };
    let pipeline = |item: Node| {
        let Node::Map(entries) = item else { return Err(keys.expected("filter_list", &item, "a list of maps")) };
        Pipeline::new(&entries).map_err(|problem| keys.wrong("filter_list", problem))
    };
    items.into_iter().map(pipeline).collect()
}
