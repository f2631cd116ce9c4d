//! Repositories of the Hugging Face hub, through the hub's own cache.

use super::cache::Cache;
use super::open::{self, Resolved};
use super::{FORMS, Source, is_plain};
use crate::checkpoint::shard_files;
use crate::error::{ModelError, one_line};
use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{CacheRepo, Repo, RepoType};
use std::path::PathBuf;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Files that a model needs beside its weights, and files that it may have.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
const OPTIONAL: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];

/// Reads `ORG/NAME[@REVISION]`.
pub(super) fn parse(text: &str) -> Result<Source, String> {
    let (repo, revision) = match text.split_once('@') {
        None => (text, None),
        Some((repo, revision)) => (repo, Some(revision)),
    };
    let names: Vec<_> = repo.split('/').collect();
    if names.len() > 2 || !names.iter().all(|name| is_plain(name, "-_.")) {
        return Err(format!("`{repo}` is not the name of a repository; {FORMS}"));
    }
    match revision {
        Some(revision) if !is_plain(revision, "-_./") => Err(format!("`{revision}` is not a branch, tag or commit")),
        _ => Ok(Source::Hub { repo: repo.to_owned(), revision: revision.map(str::to_owned) }),
    }
}

/// Fetches what is not cached, and opens the model.
pub(super) fn open(repo: &str, revision: Option<&str>, cache: &Cache) -> Result<Resolved, ModelError> {
    let hub = Hub::connect(repo, revision, cache)?;
    let config = hub.needed(NEEDED[0])?;
    for file in &NEEDED[1..] {
        hub.needed(file)?;
    }
    for file in OPTIONAL {
        hub.optional(file)?;
    }
    hub.weights()?;
    // All files of one commit lie in one folder, which is named after it.
    let folder = config.parent().map(PathBuf::from).unwrap_or_default();
    let mut resolved = open::folder(&folder)?;
    let commit = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    resolved.revision = commit;
    Ok(resolved)
}

/// One repository at one revision: online, or what of it is cached.
struct Hub {
    name: String,
    cached: CacheRepo,
    online: Option<Online>,
    /// Why the hub cannot be asked, for errors.
    offline: String,
}

struct Online {
    api: ApiRepo,
    files: Vec<String>,
}

impl Hub {
    fn connect(name: &str, revision: Option<&str>, cache: &Cache) -> Result<Self, ModelError> {
        let revision = revision.unwrap_or("main").to_owned();
        let repo = Repo::with_revision(name.to_owned(), RepoType::Model, revision);
        let offline = cache.offline();
        let cache = hub_cache(name, cache)?;
        let cached = cache.repo(repo.clone());
        let mut hub = Self {
            name: name.to_owned(),
            cached,
            online: None,
            offline: "HF_HUB_OFFLINE is set, only cached files are used".to_owned(),
        };
        if !offline {
            // Without a connection, what is cached may still do.
            match online(repo, cache) {
                Ok(online) => hub.online = Some(online),
                Err(problem) => hub.offline = problem,
            }
        }
        Ok(hub)
    }

    fn error(&self, problem: String) -> ModelError {
        ModelError::Download { what: format!("hf:{}", self.name), problem }
    }

    /// A file's place in the cache, fetched if it must be; `None` if the repository has no such file, or may have one but
    /// cannot be asked.
    fn optional(&self, file: &str) -> Result<Option<PathBuf>, ModelError> {
        let Some(online) = &self.online else {
            return Ok(self.cached.get(file));
        };
        if !online.files.iter().any(|other| other == file) {
            return Ok(None);
        }
        let path = online.api.get(file);
        path.map(Some).map_err(|error| self.error(format!("{file}: {}", one_line(&error.to_string()))))
    }

    fn needed(&self, file: &str) -> Result<PathBuf, ModelError> {
        self.optional(file)?.ok_or_else(|| {
            self.error(match self.online {
                Some(_) => format!("the repository holds no {file}"),
                None => format!("{file} is not cached, and {}", self.offline),
            })
        })
    }

    fn weights(&self) -> Result<(), ModelError> {
        if self.optional(SINGLE)?.is_some() {
            return Ok(());
        }
        let Some(index) = self.optional(INDEX)? else {
            return self.needed(SINGLE).map(|_| ());
        };
        for shard in shard_files(&index)? {
            self.needed(&shard)?;
        }
        Ok(())
    }
}

fn hub_cache(name: &str, cache: &Cache) -> Result<hf_hub::Cache, ModelError> {
    if let Some(folder) = cache.hub() {
        return Ok(hf_hub::Cache::new(folder.to_owned()));
    }
    // The hub's crate panics where it finds no home folder.
    if std::env::var_os("HF_HOME").is_none() && std::env::home_dir().is_none() {
        return Err(ModelError::Download {
            what: format!("hf:{name}"),
            problem: "no folder to keep it in: set HF_HOME".to_owned(),
        });
    }
    Ok(hf_hub::Cache::from_env())
}

/// Connects and lists the repository's files, or says in one line why not.
fn online(repo: Repo, cache: hf_hub::Cache) -> Result<Online, String> {
    let line = |error: hf_hub::api::sync::ApiError| one_line(&error.to_string());
    let folder = cache.path().clone();
    let api = ApiBuilder::from_env()
        .with_cache_dir(folder)
        .with_token(cache.token())
        .with_progress(false)
        .build()
        .map_err(line)?
        .repo(repo);
    let files = api.info().map_err(line)?.siblings;
    Ok(Online { api, files: files.into_iter().map(|file| file.rfilename).collect() })
}
