//! Downloads a model into the local cache, where the hub's own tools find it too.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anear_pool::Pool;
use reqwest::{Client, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::cache::{Cache, is_revision};
use crate::providers::secret::{Redactor, Secret, chain};
use crate::{Error, Result};

/// The files that a model is made of, besides its modules' settings (`1_Pooling/config.json`).
const FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
];

/// The most bytes read of the hub's answer about a model: far more than any list of files needs.
const MAX_ANSWER: usize = 16 << 20;

/// The hub's address and the user's key.
pub(super) struct Hub {
    client: Client,
    endpoint: String,
    token: Option<Secret>,
    redactor: Redactor,
    /// The variable that forbids downloads, if one does.
    offline: Option<&'static str>,
}

/// The hub's answer about a model.
#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Hub {
    pub(super) fn of_environment(variable: &impl Fn(&str) -> Option<String>) -> Result<Self> {
        let on = |name: &&str| variable(name).is_some_and(|value| !matches!(value.trim(), "0" | "false" | "FALSE"));
        let token = variable("HF_TOKEN").map(|token| Secret::new(token.trim()));
        let client = Client::builder()
            .user_agent(concat!("anear/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // Weights are large: a download may last, but not stand still.
            .read_timeout(Duration::from_secs(60))
            .build()
            .map_err(|error| Error::Setting {
                name: "client",
                value: String::new(),
                reason: format!("the HTTP client cannot start: {}", chain(&error)),
            })?;
        Ok(Self {
            client,
            endpoint: variable("HF_ENDPOINT")
                .unwrap_or_else(|| "https://huggingface.co".into())
                .trim_end_matches('/')
                .to_owned(),
            redactor: Redactor::new(token.clone()),
            token,
            offline: ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().find(on),
        })
    }

    /// The folder of the snapshot that `main` names now.
    pub(super) async fn download(&self, name: &str, cache: &Cache) -> Result<PathBuf> {
        if let Some(variable) = self.offline {
            let hint =
                format!("{variable} is set, so the hub is not asked; unset it, or give a folder to `from_folder`");
            return Err(cache.not_found(name, &hint));
        }
        let info: Info = self.json(name, &format!("api/models/{name}/revision/main")).await?;
        if !is_revision(&info.sha) {
            let message = format!("{:?} is no revision", info.sha);
            return Err(Error::Malformed {
                model: name.to_owned(),
                message,
            });
        }
        let snapshot = cache.model(name).join("snapshots").join(&info.sha);
        for file in missing(info.siblings, &snapshot).await? {
            let address = format!("{name}/resolve/{}/{file}", info.sha);
            self.file(name, &address, &snapshot.join(file)).await?;
        }
        // Last: a snapshot that is named is whole.
        let main = cache.model(name).join("refs/main");
        on_pool(move || write_whole(&main, info.sha.as_bytes())).await?;
        Ok(snapshot)
    }

    async fn json<T: DeserializeOwned>(&self, model: &str, path: &str) -> Result<T> {
        let mut response = self.get(model, path).await?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(model, error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(Error::Malformed {
                    model: model.to_owned(),
                    message: "the answer does not end".into(),
                });
            }
        }
        serde_json::from_slice(&body).map_err(|error| Error::Malformed {
            model: model.to_owned(),
            message: self.redactor.clean(&error.to_string()),
        })
    }

    /// Downloads to a file beside `target` and renames it when it is whole.
    async fn file(&self, model: &str, path: &str, target: &Path) -> Result<()> {
        let mut response = self.get(model, path).await?;
        let part = part_of(target);
        let at = part.clone();
        let mut file = on_pool(move || create(&at)).await?;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(model, error))? {
            let at = part.clone();
            let write = move || file.write_all(&chunk).map(|()| file);
            file = on_pool(move || write().map_err(|error| unwritten(&at, &error))).await?;
        }
        let target = target.to_owned();
        on_pool(move || finish(&file, &part, &target)).await
    }

    async fn get(&self, model: &str, path: &str) -> Result<Response> {
        let mut request = self.client.get(format!("{}/{path}", self.endpoint));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(|error| self.broken(model, error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let hint = match status.as_u16() {
            401 | 403 | 404 => "the hub does not know this model, or HF_TOKEN is missing or may not read it",
            _ => "the hub did not deliver",
        };
        Err(Error::Api {
            status: status.as_u16(),
            model: model.to_owned(),
            attempts: 1,
            retry_after: None,
            message: hint.to_owned(),
        })
    }

    fn broken(&self, model: &str, error: reqwest::Error) -> Error {
        Error::Connection {
            host: self.endpoint.clone(),
            model: model.to_owned(),
            attempts: 1,
            message: self.redactor.clean(&chain(&error.without_url())),
        }
    }
}

/// Work with files, away from the executor's threads.
async fn on_pool<R: Send + 'static>(work: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    Pool::global().run(work).await?
}

/// The names of the model's files that we read and `snapshot` lacks, each once.
async fn missing(files: Vec<Sibling>, snapshot: &Path) -> Result<BTreeSet<String>> {
    let snapshot = snapshot.to_owned();
    on_pool(move || {
        let names = files.into_iter().map(|file| file.rfilename);
        Ok(names
            .filter(|name| is_wanted(name) && !snapshot.join(name).exists())
            .collect())
    })
    .await
}

/// Whether a model's file is one we read. Names come from the hub: none that passes can leave the folder.
fn is_wanted(file: &str) -> bool {
    let is_module = |folder: &str| {
        folder.starts_with(|c: char| c.is_ascii_digit())
            && folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    FILES.contains(&file) || file.strip_suffix("/config.json").is_some_and(is_module)
}

fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    PathBuf::from(name)
}

fn create(part: &Path) -> Result<File> {
    let folder = part.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| File::create(part))
        .map_err(|error| unwritten(part, &error))
}

fn finish(file: &File, part: &Path, target: &Path) -> Result<()> {
    file.sync_all()
        .and_then(|()| std::fs::rename(part, target))
        .map_err(|error| unwritten(target, &error))
}

fn write_whole(target: &Path, bytes: &[u8]) -> Result<()> {
    let part = part_of(target);
    let mut file = create(&part)?;
    file.write_all(bytes).map_err(|error| unwritten(&part, &error))?;
    finish(&file, &part, target)
}

fn unwritten(path: &Path, error: &std::io::Error) -> Error {
    Error::ModelFile {
        path: path.to_owned(),
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{header, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const TOKEN: &str = "hf_canary_93ac";

    fn hub(server: &MockServer, more: &[(&str, &str)]) -> Hub {
        let uri = server.uri();
        let environment = [&[("HF_ENDPOINT", uri.as_str()), ("HF_TOKEN", TOKEN)], more].concat();
        let find = |name: &str| environment.iter().find(|(variable, _)| *variable == name);
        Hub::of_environment(&|name: &str| find(name).map(|(_, value)| (*value).to_owned())).unwrap()
    }

    fn cache(folder: &Path) -> Cache {
        let folder = folder.display().to_string();
        Cache::of_environment(&|name: &str| (name == "HF_HUB_CACHE").then(|| folder.clone()))
    }

    async fn serve(server: &MockServer, at: &str, answer: ResponseTemplate) {
        let bearer = header("authorization", format!("Bearer {TOKEN}"));
        Mock::given(path(at))
            .and(bearer)
            .respond_with(answer)
            .mount(server)
            .await;
    }

    async fn serve_info(server: &MockServer, sha: &str, files: &[&str]) {
        let siblings: Vec<_> = files.iter().map(|file| json!({ "rfilename": file })).collect();
        let info = ResponseTemplate::new(200).set_body_json(json!({ "sha": sha, "siblings": siblings }));
        serve(server, "/api/models/a/b/revision/main", info).await;
    }

    #[tokio::test]
    async fn a_download_is_found_in_the_cache_afterwards() {
        let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
        let wanted = ["config.json", "1_Pooling/config.json", "model.safetensors"];
        let others = [
            "README.md",
            "../evil/config.json",
            "/etc/config.json",
            "onnx/model.onnx",
            "pytorch_model.bin",
        ];
        serve_info(&server, "0123abcd", &[&wanted[..], &others].concat()).await;
        for file in wanted {
            let answer = ResponseTemplate::new(200).set_body_string(format!("bytes of {file}"));
            serve(&server, &format!("/a/b/resolve/0123abcd/{file}"), answer).await;
        }
        let cache = cache(folder.path());
        let snapshot = hub(&server, &[]).download("a/b", &cache).await.unwrap();
        assert_eq!(cache.find("a/b"), Some(snapshot.clone()));
        for file in wanted {
            assert_eq!(
                std::fs::read_to_string(snapshot.join(file)).unwrap(),
                format!("bytes of {file}")
            );
        }
        let left: Vec<_> = std::fs::read_dir(&snapshot)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }

    #[tokio::test]
    async fn an_interrupted_download_is_no_model_and_can_be_resumed() {
        let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
        serve_info(&server, "0123", &["modules.json", "tokenizer.json"]).await;
        serve(
            &server,
            "/a/b/resolve/0123/modules.json",
            ResponseTemplate::new(200).set_body_string("[]"),
        )
        .await;
        let cache = cache(folder.path());
        let error = hub(&server, &[]).download("a/b", &cache).await.unwrap_err();
        assert!(matches!(error, Error::Api { status: 404, .. }), "{error:?}");
        assert!(!cache.model("a/b").join("refs/main").exists());
        serve(
            &server,
            "/a/b/resolve/0123/tokenizer.json",
            ResponseTemplate::new(200).set_body_string("{}"),
        )
        .await;
        assert!(
            hub(&server, &[])
                .download("a/b", &cache)
                .await
                .unwrap()
                .join("tokenizer.json")
                .exists()
        );
    }

    #[tokio::test]
    async fn offline_variables_are_obeyed() {
        let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
        for variable in ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
            let offline = hub(&server, &[(variable, "1")])
                .download("a/b", &cache(folder.path()))
                .await
                .unwrap_err();
            assert!(
                matches!(offline, Error::ModelNotFound { .. }) && offline.to_string().contains(variable),
                "{offline}"
            );
            let online = hub(&server, &[(variable, "0")])
                .download("a/b", &cache(folder.path()))
                .await
                .unwrap_err();
            assert!(matches!(online, Error::Api { status: 404, .. }), "{online}");
        }
        assert_eq!(server.received_requests().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn strange_answers_are_refused_and_the_token_is_not_shown() {
        for body in [
            "{}".to_owned(),
            format!("\"{TOKEN}\""),
            r#"{"sha":"../..","siblings":[]}"#.to_owned(),
        ] {
            let (server, folder) = (MockServer::start().await, tempfile::tempdir().unwrap());
            serve(
                &server,
                "/api/models/a/b/revision/main",
                ResponseTemplate::new(200).set_body_string(body),
            )
            .await;
            let error = hub(&server, &[])
                .download("a/b", &cache(folder.path()))
                .await
                .unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains(TOKEN));
        }
    }
}
