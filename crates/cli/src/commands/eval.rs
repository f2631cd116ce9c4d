use super::{causal, load_compact, tokenizer};
use crate::arguments::Eval;
use crate::error::CliError;
use crate::output;
use crate::progress::Progress;
use junkdna_backend::CausalLm;
use junkdna_difficulty::suite::{SuiteConfig, generate};
use junkdna_eval::metrics::Response;
use junkdna_eval::{Chat, ChatTemplate, Document, Prompting, Rendered, Results, Suite, Task, TaskScores};
use junkdna_experiment::write_whole;
use junkdna_model::Loaded;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Resamples behind the standard errors of metrics that are no means: as many as lm-evaluation-harness takes.
const BOOTSTRAP_ITERATIONS: usize = 100_000;

pub fn run(arguments: &Eval) -> Result<(), CliError> {
    if arguments.limit == Some(0) {
        return Err(CliError::Request("--limit 0 leaves no documents".into()));
    }
    let suite = suite(arguments)?;
    let mut prompting = Prompting {
        seed: arguments.seed,
        limit: arguments.limit,
        skip_bad_rows: arguments.skip_bad_rows,
        system_instruction: arguments.system_instruction.clone(),
        chat: None,
    };
    // What is wrong with tasks is said before a model is loaded, if only the model's template is not needed.
    let early = match arguments.apply_chat_template {
        None => Some(render(&suite.tasks, &prompting)?),
        Some(_) => None,
    };
    let mut progress = Progress::new(&format!("loading {}", arguments.source.model));
    let loaded = load_compact(&arguments.source)?;
    prompting.chat = chat(arguments, &loaded)?;
    let rendered = early.map_or_else(|| render(&suite.tasks, &prompting), Ok)?;
    let model = causal(&loaded, "evaluation")?;
    progress.label("scoring");
    let asked: Vec<_> = suite.tasks.iter().zip(&rendered).map(|(task, r)| (task, r.examples.as_slice())).collect();
    let share = |done: junkdna_eval::Progress| progress.share(done.done as f64 / done.total.max(1) as f64);
    let responses = arguments.engine.engine().respond_all(model, &loaded.tokenizer, &asked, share)?;
    let mut results = Results { tasks: Vec::new(), groups: suite.groups };
    let mut samples = Vec::new();
    let mut cut_contexts = serde_json::Map::new();
    for ((task, rendered), responses) in suite.tasks.iter().zip(&rendered).zip(&responses) {
        let cut = task.cut_tokens(model, &loaded.tokenizer, &rendered.examples)?;
        let (scores, answers) = measure(task, rendered, responses, &cut)?;
        warn_of_cut(task, &cut, model.context_length());
        cut_contexts.insert(task.task.clone(), json!(cut.iter().filter(|&&cut| cut > 0).count()));
        results.tasks.push(scores);
        samples.extend(answers);
    }
    progress.finish();
    warn(&results);
    if let Some(file) = &arguments.samples {
        write_samples(file, &samples)?;
    }
    let mut json = results.to_json();
    json["config"] = json!({
        "model": loaded.source, "model_dtype": loaded.precision, "device": arguments.source.device.to_string(),
        "limit": arguments.limit, "fewshot_seed": arguments.seed, "bootstrap_iters": BOOTSTRAP_ITERATIONS,
        "chat_template": arguments.apply_chat_template, "fewshot_as_multiturn": prompting.chat.as_ref().map(|c| c.multiturn),
        "system_instruction": arguments.system_instruction,
    });
    json["cut_contexts"] = cut_contexts.into();
    match &arguments.json {
        Some(None) => return output::json(&json),
        Some(Some(file)) => write_whole(file, format!("{json:#}\n").as_bytes())?,
        None => {}
    }
    output::line(results.table())?;
    results.group_table().map_or(Ok(()), output::line)
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

/// What is asked for, with the options of the command line.
fn suite(arguments: &Eval) -> Result<Suite, CliError> {
    let (builtin, files): (Vec<PathBuf>, Vec<PathBuf>) =
        arguments.task.iter().cloned().partition(|name| name.as_os_str() == "builtin");
    let mut suite = Suite::load(&files, &arguments.include_path)?;
    for task in &mut suite.tasks {
        task.set_shots(arguments.shots);
        arguments.data.iter().for_each(|folder| task.set_folder(folder));
    }
    if suite.tasks.iter().any(Task::retrieves) {
        let tokenizer = tokenizer(&arguments.source)?;
        let count = |text: &str| tokenizer.encode(text).map_or(usize::MAX, |tokens| tokens.len());
        suite.tasks.iter_mut().try_for_each(|task| task.retrieve(count))?;
    }
    if !builtin.is_empty() {
        suite.tasks.extend(graded()?);
    }
    Ok(suite)
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

/// The scores of a task, and its answers one by one, each with the tokens that were cut off from its context.
fn measure(
    task: &Task,
    rendered: &Rendered,
    responses: &[Vec<Response>],
    cut: &[usize],
) -> Result<(TaskScores, Vec<Value>), CliError> {
    let examples = &rendered.examples;
    let measured = task.measure(examples, responses, BOOTSTRAP_ITERATIONS)?;
    let mut samples = task.samples(examples, responses, &measured)?;
    // One sample an example for each pipeline of filters.
    for (sample, cut) in samples.iter_mut().zip(cut.iter().cycle()).filter(|(_, cut)| **cut > 0) {
        sample["cut_tokens"] = json!(cut);
    }
    Ok((TaskScores::new(task, examples.len(), rendered.documents, measured), samples))
}

/// Says how many contexts the model could not read whole.
fn warn_of_cut(task: &Task, cut: &[usize], context: usize) {
    let count = cut.iter().filter(|&&cut| cut > 0).count();
    if count > 0 {
        let (name, all) = (&task.task, cut.len());
        eprintln!(
            "{name}: {count} of {all} contexts are longer than the model's {context} tokens, their beginnings are cut off"
        );
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

fn write_samples(file: &Path, samples: &[Value]) -> Result<(), CliError> {
    let lines: String = samples.iter().map(|sample| format!("{sample}\n")).collect();
    Ok(write_whole(file, lines.as_bytes())?)
}
