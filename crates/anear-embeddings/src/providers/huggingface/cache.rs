//! Where the hub's tools keep downloaded models: `models--org--name/snapshots/<revision>/`.

use std::path::{Path, PathBuf};

use anear_pool::Pool;

use crate::{Error, Result};

/// The cache folder.
#[derive(Clone, Debug)]
pub(super) struct Cache(PathBuf);

/// `name` with its organization; one without is of sentence-transformers.
pub(super) fn full_name(name: &str) -> Result<String> {
    let full = if name.contains('/') {
        name.to_owned()
    } else {
        format!("sentence-transformers/{name}")
    };
    let parts: Vec<&str> = full.split('/').collect();
    // A name becomes part of a path and of a URL.
    let plain = |part: &&str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && !part.starts_with('.') && !part.contains("..") && part.chars().all(allowed)
    };
    if parts.len() == 2 && parts.iter().all(plain) {
        return Ok(full);
    }
    Err(Error::Setting {
        name: "model",
        value: name.to_owned(),
        reason: "a model's name is `organization/name`".into(),
    })
}

impl Cache {
    pub(super) fn of_environment(variable: &impl Fn(&str) -> Option<String>) -> Self {
        let path = |name: &str| variable(name).map(PathBuf::from);
        let home = || path("HOME").or_else(|| path("USERPROFILE")).unwrap_or_default();
        let default = || {
            path("XDG_CACHE_HOME")
                .unwrap_or_else(|| home().join(".cache"))
                .join("huggingface/hub")
        };
        let direct = path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE"));
        Self(
            direct
                .or_else(|| Some(path("HF_HOME")?.join("hub")))
                .unwrap_or_else(default),
        )
    }

    /// The folder of everything about the model `name`.
    pub(super) fn model(&self, name: &str) -> PathBuf {
        self.0.join(format!("models--{}", name.replace('/', "--")))
    }

    /// [`find`](Self::find), away from the executor's threads.
    pub(super) async fn find_on_pool(&self, name: &str) -> Result<Option<PathBuf>> {
        let (cache, name) = (self.clone(), name.to_owned());
        Ok(Pool::global().run(move || cache.find(&name)).await?)
    }

    /// The snapshot of the revision `main`, or, when that is not known, the last one by name.
    pub(super) fn find(&self, name: &str) -> Option<PathBuf> {
        let model = self.model(name);
        let complete = |folder: &Path| folder.join("config.json").exists() || folder.join("modules.json").exists();
        let main = std::fs::read_to_string(model.join("refs/main")).ok();
        let named = main
            .map(|revision| revision.trim().to_owned())
            .filter(|revision| is_revision(revision));
        if let Some(folder) = named
            .map(|revision| model.join("snapshots").join(revision))
            .filter(|it| complete(it))
        {
            return Some(folder);
        }
        let entries = std::fs::read_dir(model.join("snapshots")).ok()?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|folder| complete(folder))
            .max()
    }

    pub(super) fn not_found(&self, name: &str, hint: &str) -> Error {
        Error::ModelNotFound {
            name: name.to_owned(),
            looked: self.model(name).display().to_string(),
            hint: hint.to_owned(),
        }
    }
}

/// Whether `text` is a commit's name, and so safe as part of a path.
pub(super) fn is_revision(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(environment: &[(&str, &str)]) -> PathBuf {
        let find = |name: &str| environment.iter().find(|(variable, _)| *variable == name);
        Cache::of_environment(&|name: &str| find(name).map(|(_, value)| (*value).to_owned())).0
    }

    #[test]
    fn the_cache_is_where_the_variables_say() {
        let home = ("HOME", "/h");
        assert_eq!(cache(&[home]), Path::new("/h/.cache/huggingface/hub"));
        assert_eq!(
            cache(&[home, ("XDG_CACHE_HOME", "/x")]),
            Path::new("/x/huggingface/hub")
        );
        assert_eq!(cache(&[home, ("HF_HOME", "/f")]), Path::new("/f/hub"));
        assert_eq!(
            cache(&[("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/c")]),
            Path::new("/c")
        );
        assert_eq!(
            cache(&[("HF_HUB_CACHE", "/n"), ("HUGGINGFACE_HUB_CACHE", "/c")]),
            Path::new("/n")
        );
    }

    #[test]
    fn names_are_completed_and_never_paths() {
        assert_eq!(
            full_name("all-MiniLM-L6-v2").unwrap(),
            "sentence-transformers/all-MiniLM-L6-v2"
        );
        assert_eq!(full_name("BAAI/bge-small-en-v1.5").unwrap(), "BAAI/bge-small-en-v1.5");
        for bad in [
            "", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a/.b", "a b", "a\\b", "a/b?c", "a/b..c", "한/국",
        ] {
            let error = full_name(bad).unwrap_err();
            assert!(
                matches!(&error, Error::Setting { value, .. } if value == bad),
                "{bad:?}: {error}"
            );
        }
    }

    #[test]
    fn main_is_preferred_and_any_snapshot_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache(folder.path().to_owned());
        let model = cache.model("a/b");
        assert!(model.ends_with("models--a--b"));
        assert_eq!(cache.find("a/b"), None);
        for revision in ["0a", "0b", "0c"] {
            std::fs::create_dir_all(model.join("snapshots").join(revision)).unwrap();
        }
        assert_eq!(cache.find("a/b"), None, "folders without a model");
        for revision in ["0a", "0b"] {
            std::fs::write(model.join("snapshots").join(revision).join("config.json"), "{}").unwrap();
        }
        assert_eq!(cache.find("a/b"), Some(model.join("snapshots/0b")));
        std::fs::create_dir(model.join("refs")).unwrap();
        std::fs::write(model.join("refs/main"), "0a\n").unwrap();
        assert_eq!(cache.find("a/b"), Some(model.join("snapshots/0a")));
        std::fs::write(model.join("refs/main"), "../../x").unwrap();
        assert_eq!(cache.find("a/b"), Some(model.join("snapshots/0b")));
        assert!(cache.not_found("c/d", "hint").to_string().contains("models--c--d"));
    }
}
