//! Files of a data set's repository, in the hub's own cache.

use super::{Wanted, card};
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};

/// The files that are wanted of a data set. `HF_HOME` says where the cache is, `HF_ENDPOINT` where the hub is, `HF_TOKEN` who
/// asks; with `HF_HUB_OFFLINE` or `HF_DATASETS_OFFLINE` it is not asked.
pub fn files(name: &str, wanted: &Wanted) -> Result<Vec<PathBuf>, String> {
    // The hub's crate panics where it finds no home folder.
    if std::env::var_os("HF_HOME").is_none() && std::env::home_dir().is_none() {
        return Err("there is no folder to keep data sets of the hub in: set HF_HOME".into());
    }
    let cache = Cache::from_env();
    let repo = Repo::with_revision(name.to_owned(), RepoType::Dataset, wanted.revision.to_owned());
    let offline = ["HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"].into_iter().find(|variable| is_set(variable));
    let unasked = match offline {
        Some(variable) => format!("{variable} is set"),
        // Without a connection, what is cached may still do.
        None => match online(&repo, &cache) {
            Ok((api, names)) => return fetched(name, &api, &names, wanted),
            Err(problem) => problem,
        },
    };
    let Some(snapshot) = snapshot(&cache, &repo) else {
        let (revision, place) = (repo.revision(), cache.path().display());
        return Err(format!(
            "the data set `{name}` of the hub is not cached in {place} at the revision `{revision}`, and {unasked}; fetch it \
             once with a connection, or give a folder with its files"
        ));
    };
    let card = std::fs::read_to_string(snapshot.join(card::FILE)).ok();
    let found = card::files(&listed(&snapshot), card.as_deref(), wanted).and_then(whole);
    let found = found.map_err(|problem| format!("of `{name}` as it is cached (and {unasked}), {problem}"))?;
    Ok(found.into_iter().map(|file| snapshot.join(file)).collect())
}

fn is_set(variable: &str) -> bool {
    let value = std::env::var(variable).unwrap_or_default().to_lowercase();
    ["1", "true", "yes", "on"].contains(&value.as_str())
}

/// Connects and lists the repository's files, or says in one line why not.
fn online(repo: &Repo, cache: &Cache) -> Result<(ApiRepo, Vec<String>), String> {
    let builder = ApiBuilder::from_env().with_cache_dir(cache.path().clone()).with_token(token(cache));
    let api = builder.with_progress(false).build().map_err(line)?.repo(repo.clone());
    let info = api.info().map_err(line)?;
    // All files are of the commit that was listed, whatever was cached before.
    cache.repo(repo.clone()).create_ref(&info.sha).map_err(|error| error.to_string())?;
    Ok((api, info.siblings.into_iter().map(|file| file.rfilename).collect()))
}

/// Who asks, for data sets that are not everybody's: as the hub's Python package finds it, in the environment or where its
/// `login` leaves it.
fn token(cache: &Cache) -> Option<String> {
    let said = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].into_iter().filter_map(|variable| std::env::var(variable).ok());
    let kept = || std::fs::read_to_string(std::env::var_os("HF_TOKEN_PATH")?).ok();
    let mut tokens = said.chain(std::iter::once_with(kept).flatten()).map(|token| token.trim().to_owned());
    tokens.find(|token| !token.is_empty()).or_else(|| cache.token())
}

fn fetched(name: &str, api: &ApiRepo, names: &[String], wanted: &Wanted) -> Result<Vec<PathBuf>, String> {
    let get = |file: &String| api.get(file).map_err(|error| format!("`{name}`: {file}: {}", line(error)));
    let card = names.iter().find(|file| *file == card::FILE).map(get).transpose()?;
    let card = card.map(std::fs::read_to_string).transpose().map_err(|error| format!("`{name}`: {error}"))?;
    let found = card::files(names, card.as_deref(), wanted).map_err(|problem| format!("of `{name}`, {problem}"))?;
    found.iter().map(get).collect()
}

fn line(error: ApiError) -> String {
    let said = crate::template::one_line(&error.to_string());
    let status = match error {
        ApiError::RequestError(error) => error.into_response().map(|response| response.status()),
        _ => None,
    };
    match status {
        Some(401 | 403) => {
            format!("{said}: only those who are let in may read it, so accept its terms on the hub and set HF_TOKEN")
        }
        _ => said,
    }
}

/// The folder of the files that are cached at a revision.
fn snapshot(cache: &Cache, repo: &Repo) -> Option<PathBuf> {
    let folder = cache.path().join(repo.folder_name());
    let named = std::fs::read_to_string(folder.join("refs").join(repo.revision())).ok();
    let commit = named.unwrap_or_else(|| repo.revision().to_owned());
    Some(folder.join("snapshots").join(commit.trim())).filter(|snapshot| snapshot.is_dir())
}

/// The files below a folder, by their paths with `/`, in order.
fn listed(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut left = vec![(folder.to_owned(), String::new())];
    while let Some((folder, above)) = left.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{above}{}", entry.file_name().to_string_lossy());
            // Files of a snapshot are links.
            match entry.path().is_dir() {
                true => left.push((entry.path(), format!("{name}/"))),
                false => names.push(name),
            }
        }
    }
    names.sort();
    names
}

/// Refuses a part of a file without the others: `…-00001-of-00003.parquet`.
fn whole(names: Vec<String>) -> Result<Vec<String>, String> {
    for name in &names {
        let Some((before, after)) = name.split_once("-of-") else { continue };
        let Some((stem, _)) = before.rsplit_once('-') else { continue };
        let count = after.split('.').next().unwrap_or_default();
        let Ok(all) = count.parse::<usize>() else { continue };
        let of_same = |other: &&String| other.starts_with(stem) && other.contains(&format!("-of-{count}."));
        let there = names.iter().filter(of_same).count();
        if there < all {
            return Err(format!("{name} is there, but only {there} of its {all} parts"));
        }
    }
    Ok(names)
}
