use super::{causal, load_compact, tokenizer};
use crate::arguments::Eval;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_difficulty::suite::{SuiteConfig, generate};
use junkdna_eval::metrics::Response;
use junkdna_eval::{
    Chat, ChatTemplate, Document, Example, Measured, OutputType, Prompting, Rendered, Results, Retrieved, Suite, Task,
    TaskScores, classify,
};
use junkdna_experiment::{EncoderClassifier, WholeFile, write_whole};
use junkdna_finetune::data::{Dataset, Example as Labelled, Label, Target};
use junkdna_model::{Bert, Loaded, Model};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Resamples behind the standard errors of metrics that are no means: as many as lm-evaluation-harness takes.
const BOOTSTRAP_ITERATIONS: usize = 100_000;

/// Resamples behind an interval: its ends are percentiles, steady to a few thousandths of the width.
const INTERVAL_ITERATIONS: usize = 10_000;

pub fn run(arguments: &Eval) -> Result<(), CliError> {
    if arguments.limit == Some(0) {
        return Err(CliError::Request("--limit 0 leaves no documents".into()));
    }
    if let Some(confidence) = arguments.interval.filter(|c| !(*c > 0.0 && *c < 1.0)) {
        return Err(CliError::Request(format!("--interval {confidence}: a confidence between 0 and 1 is expected")));
    }
    let mut suite = suite(arguments)?;
    let mut prompting = Prompting {
        seed: arguments.seed,
        limit: arguments.limit,
        skip_bad_rows: arguments.skip_bad_rows,
        drop_documents: arguments.samples.is_none(),
        system_instruction: arguments.system_instruction.clone(),
        chat: None,
    };
    let retrieved = retrieve(arguments, &mut suite, &prompting)?;
    // What is wrong with tasks is said before a model is loaded, if only the model's template is not needed.
    let early = match arguments.apply_chat_template {
        None => Some(render(&suite.tasks, &prompting)?),
        Some(_) => None,
    };
    if let Some(file) = &arguments.samples {
        // A place that cannot be written is said now, not after the scoring.
        WholeFile::create(file)?;
    }
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load_compact(&arguments.source)?;
    prompting.chat = chat(arguments, &loaded)?;
    let rendered = early.map_or_else(|| render(&suite.tasks, &prompting), Ok)?;
    progress.label("scoring");
    let asked: Vec<(&Task, &Rendered)> = suite.tasks.iter().zip(&rendered).collect();
    let answers = Answers::of(&loaded, arguments, &asked, &mut progress)?;
    let mut results = Results { tasks: Vec::new(), groups: suite.groups };
    let mut samples = arguments.samples.as_deref().map(WholeFile::create).transpose()?;
    let mut cut_contexts = serde_json::Map::new();
    for (((task, rendered), responses), cut) in asked.iter().zip(&answers.responses).zip(&answers.cut) {
        let measured = task.measure(&rendered.examples, responses, BOOTSTRAP_ITERATIONS)?;
        if let Some(samples) = &mut samples {
            add_samples(samples, task, &rendered.examples, responses, (&measured, cut))?;
        }
        warn_of_cut(task, cut);
        cut_contexts.insert(task.task.clone(), json!(cut.iter().filter(|&&cut| cut > 0).count()));
        results.tasks.push(TaskScores::new(task, rendered.examples.len(), rendered.documents, measured));
    }
    progress.finish();
    warn(&results);
    samples.map_or(Ok(()), WholeFile::finish)?;
    let mut json = results.to_json();
    json["config"] = json!({
        "model": loaded.source, "model_dtype": loaded.precision, "device": arguments.source.device.to_string(),
        "limit": arguments.limit, "fewshot_seed": arguments.seed, "bootstrap_iters": BOOTSTRAP_ITERATIONS,
        "chat_template": arguments.apply_chat_template, "fewshot_as_multiturn": prompting.chat.as_ref().map(|c| c.multiturn),
        "system_instruction": arguments.system_instruction,
    });
    json["cut_contexts"] = cut_contexts.into();
    if let Some(retrieved) = retrieved {
        json["retrieval"] = retrieved;
    }
    let intervals = arguments.interval.map(|confidence| intervals(&suite.tasks, &results, confidence));
    if let Some(intervals) = &intervals {
        for (task, metric, filter, (low, high)) in intervals {
            json["results"][*task][format!("{metric}_interval,{filter}")] = json!([low, high]);
        }
    }
    match &arguments.json {
        Some(None) => return output::json(&json),
        Some(Some(file)) => write_whole(file, format!("{json:#}\n").as_bytes())?,
        None => {}
    }
    output::line(results.table())?;
    if let Some(intervals) = &intervals {
        let row = |&(task, metric, filter, (low, high)): &Interval| {
            [task, filter, metric, &format!("{low:.4}"), &format!("{high:.4}")].map(str::to_owned).to_vec()
        };
        output::table(&["task", "filter", "metric", "from", "to"], &intervals.iter().map(row).collect::<Vec<_>>())?;
    }
    results.group_table().map_or(Ok(()), output::line)
}

/// Task, metric, filter, and where the number is at the confidence that was asked for.
type Interval<'a> = (&'a str, &'a str, &'a str, (f64, f64));

fn intervals<'a>(tasks: &[Task], results: &'a Results, confidence: f64) -> Vec<Interval<'a>> {
    let of_task = |(task, scores): (&Task, &'a TaskScores)| {
        let interval = |line: &'a Measured| {
            let interval = task.interval(line, confidence, INTERVAL_ITERATIONS)?;
            Some((scores.name.as_str(), line.metric.as_str(), line.filter.as_str(), interval))
        };
        scores.measured.iter().filter_map(interval).collect::<Vec<_>>()
    };
    tasks.iter().zip(&results.tasks).flat_map(of_task).collect()
}

fn render(tasks: &[Task], prompting: &Prompting) -> Result<Vec<Rendered>, CliError> {
    let mut all = Vec::with_capacity(tasks.len());
    for task in tasks {
        let rendered = task.render(prompting)?;
        if let Some(first) = rendered.skipped.first() {
            eprintln!("{}: {} broken rows left out, the first: {first}", task.task, rendered.skipped.len());
        }
        all.push(rendered);
    }
    Ok(all)
}

/// How conversations are written, if prompts are to be some.
fn chat(arguments: &Eval, loaded: &Loaded) -> Result<Option<Chat>, CliError> {
    let Some(name) = &arguments.apply_chat_template else { return Ok(None) };
    let Some(template) = loaded.tokenizer.named_chat_template(name) else {
        let problem = format!("--apply-chat-template: the tokenizer of {} has no template `{name}`", loaded.source);
        return Err(CliError::Request(problem));
    };
    let tokens = loaded.tokenizer.special_tokens().map(|(role, token)| (role.to_owned(), token.to_owned()));
    let template = ChatTemplate::new(template, tokens.collect())?;
    Ok(Some(Chat { template, multiturn: arguments.fewshot_as_multiturn }))
}

/// What a model answers to the tasks, and how many tokens of each document it could not read.
struct Answers {
    responses: Vec<Vec<Vec<Response>>>,
    cut: Vec<Vec<usize>>,
}

impl Answers {
    /// A causal language model scores and generates; an encoder with a head classifies.
    fn of(
        loaded: &Loaded,
        arguments: &Eval,
        asked: &[(&Task, &Rendered)],
        progress: &mut Progress,
    ) -> Result<Self, CliError> {
        let share = |done: junkdna_eval::Progress| progress.share(done.done as f64 / done.total.max(1) as f64);
        if let Model::Bert(encoder) = &loaded.model
            && asked.iter().all(|(task, _)| task.output == OutputType::Classification)
        {
            return Self::of_encoder(encoder, loaded, asked, share);
        }
        let model = causal(loaded, "evaluation")?;
        let examples: Vec<_> = asked.iter().map(|&(task, rendered)| (task, rendered.examples.as_slice())).collect();
        let responses = arguments.engine.engine().respond_all(model, &loaded.tokenizer, &examples, share)?;
        let cut = examples.iter().map(|(task, examples)| task.cut_tokens(model, &loaded.tokenizer, examples));
        Ok(Self { responses, cut: cut.collect::<Result<_, _>>()? })
    }

    fn of_encoder(
        encoder: &Bert,
        loaded: &Loaded,
        asked: &[(&Task, &Rendered)],
        mut share: impl FnMut(junkdna_eval::Progress),
    ) -> Result<Self, CliError> {
        let classifier = EncoderClassifier::new(encoder, &loaded.tokenizer, &loaded.source)?;
        let classify =
            |(task, rendered): &(&Task, &Rendered)| classify(&classifier, task, &rendered.examples, &mut share);
        let responses = asked.iter().map(classify).collect::<Result<Vec<_>, _>>()?;
        let cut = |responses: &Vec<Response>| match responses.as_slice() {
            [Response::Classified(found)] => found.cut,
            _ => 0,
        };
        let cut = responses.iter().map(|task| task.iter().map(cut).collect()).collect();
        Ok(Self { responses, cut })
    }
}

/// Builds the contexts of tasks that look them up, and says what becomes of questions without an answer.
fn retrieve(arguments: &Eval, suite: &mut Suite, prompting: &Prompting) -> Result<Option<Value>, CliError> {
    if !suite.tasks.iter().any(Task::retrieves) {
        return Ok(None);
    }
    let mut retrieved = serde_json::Map::new();
    let tokenizer = tokenizer(&arguments.source)?;
    let count = |text: &str| tokenizer.encode(text).map_or(usize::MAX, |tokens| tokens.len());
    for task in suite.tasks.iter_mut().filter(|task| task.retrieves()) {
        let Retrieved { questions, unanswerable, dropped } = task.retrieve(count, prompting)?;
        if unanswerable > 0 {
            let done = if dropped { "left out" } else { "asked with the others" };
            eprintln!("{}: {unanswerable} of {questions} questions have no answer and are {done}", task.task);
        }
        let counts = json!({ "questions": questions, "unanswerable": unanswerable, "dropped": dropped });
        retrieved.insert(task.task.clone(), counts);
    }
    Ok(Some(retrieved.into()))
}

/// What is asked for, with the options of the command line.
fn suite(arguments: &Eval) -> Result<Suite, CliError> {
    let (builtin, named): (Vec<PathBuf>, Vec<PathBuf>) =
        arguments.task.iter().cloned().partition(|name| name.as_os_str() == "builtin");
    let (labelled, files): (Vec<PathBuf>, Vec<PathBuf>) = named.into_iter().partition(|path| is_labelled(path));
    let mut suite = Suite::load(&files, &arguments.include_path)?;
    for task in &mut suite.tasks {
        task.set_shots(arguments.shots);
        arguments.data.iter().for_each(|folder| task.set_folder(folder));
    }
    if !builtin.is_empty() {
        suite.tasks.extend(graded()?);
    }
    for path in labelled {
        suite.tasks.push(classification(&Dataset::read(&path)?)?);
    }
    Ok(suite)
}

/// Whether it is a task that `finetune` reads: a folder, or a file that says where labelled texts are.
fn is_labelled(path: &Path) -> bool {
    let says = || {
        let table: toml::Table = toml::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        Some(["train", "validation", "first", "label"].iter().all(|key| table.contains_key(*key)))
    };
    path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") && says() == Some(true)
}

/// The validation split of labelled texts as a task.
fn classification(dataset: &Dataset) -> Result<Task, CliError> {
    let document = |example: &Labelled| {
        let gold = match example.label {
            Label::Class(class) => json!(class),
            Label::Value(value) => json!(value),
        };
        json!({ "first": example.first, "second": example.second, "gold": gold })
    };
    let metrics: &[&str] = match &dataset.target {
        Target::Number => &["pearson", "spearman"],
        Target::Classes(classes) if classes.len() == 2 => &["acc", "f1", "mcc"],
        Target::Classes(_) => &["acc", "macro_f1", "mcc"],
    };
    let mut keys = json!({
        "task": dataset.name, "output_type": "classification", "doc_to_text": "first", "doc_to_target": "gold",
        "docs": dataset.validation.iter().map(document).collect::<Vec<_>>(),
        "metric_list": metrics.iter().map(|metric| json!({ "metric": metric })).collect::<Vec<_>>(),
    });
    if dataset.validation.iter().any(|example| example.second.is_some()) {
        keys["doc_to_text_pair"] = json!("second");
    }
    if let Target::Classes(classes) = &dataset.target {
        keys["doc_to_choice"] = json!(classes);
    }
    Ok(Task::from_json(&dataset.name, &keys)?)
}

/// The built-in suite of graded tasks.
fn graded() -> Result<Vec<Task>, CliError> {
    let task = |variant: junkdna_difficulty::suite::Variant| {
        let items = variant.items.iter().enumerate();
        let documents = items.map(|(doc, item)| Document {
            task: variant.name.clone(),
            doc,
            context: item.context.clone(),
            continuations: item.choices.clone(),
            gold: item.gold,
        });
        Ok(Task::of_documents(&variant.name, &documents.collect::<Vec<_>>())?)
    };
    generate(&SuiteConfig::default())?.into_iter().map(task).collect()
}

/// Writes the answers of a task one by one, as lines of JSON, each with the tokens that were cut off from its context.
fn add_samples(
    file: &mut WholeFile,
    task: &Task,
    examples: &[Example],
    responses: &[Vec<Response>],
    (measured, cut): (&[Measured], &[usize]),
) -> Result<(), CliError> {
    // One sample an example for each pipeline of filters.
    for (sample, &cut) in task.samples(examples, responses, measured).zip(cut.iter().cycle()) {
        let mut sample = sample?;
        if cut > 0 {
            sample["cut_tokens"] = json!(cut);
        }
        file.line(sample)?;
    }
    Ok(())
}

/// Says how many contexts the model could not read whole.
fn warn_of_cut(task: &Task, cut: &[usize]) {
    let count = cut.iter().filter(|&&cut| cut > 0).count();
    if count > 0 {
        let (name, all) = (&task.task, cut.len());
        let part = if task.output == OutputType::Classification { "ends" } else { "beginnings" };
        eprintln!("{name}: {count} of {all} contexts are longer than the model reads, their {part} are cut off");
    }
}

/// Says which tasks do not count in the numbers of their group.
fn warn(results: &Results) {
    for group in &results.groups {
        for (metric, tasks) in results.without(group) {
            eprintln!("group {}: {metric} is not over {}, which lack it", group.name, tasks.join(", "));
        }
    }
}
