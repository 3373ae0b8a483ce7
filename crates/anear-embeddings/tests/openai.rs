//! The OpenAI client against a server of our own making.
#![cfg(feature = "openai")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anear_embeddings::{Embeddings, Error, OpenAiBuilder, OpenAiEmbeddings, conformance};
use serde_json::{Value, json};
use wiremock::matchers::{any, body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// A key that must turn up nowhere.
const CANARY: &str = "sk-canary-5b1f0c";

fn client(server: &MockServer) -> OpenAiBuilder {
    OpenAiEmbeddings::builder()
        .base_url(format!("{}/v1", server.uri()))
        .api_key(CANARY)
        .retry_delay(Duration::from_millis(1))
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// A vector that depends on what was sent: bytes of a text, or tokens.
fn vector_of(input: &Value) -> Value {
    match input {
        Value::String(text) => {
            let sum: u32 = text.bytes().zip(1..).map(|(byte, i)| u32::from(byte) * i % 997).sum();
            json!([text.len(), sum, 1.0])
        }
        tokens => {
            let tokens = tokens.as_array().unwrap();
            json!([tokens.len(), tokens[0], 0.5])
        }
    }
}

fn answer_to(request: &Request) -> Value {
    let body: Value = request.body_json().unwrap();
    let inputs = body["input"].as_array().unwrap();
    let items = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| json!({ "index": index, "embedding": vector_of(input) }));
    json!({ "object": "list", "data": items.collect::<Vec<_>>(), "model": body["model"] })
}

/// A well-behaved server that answers earlier requests later.
#[derive(Default)]
struct Backward(AtomicUsize);

impl Respond for Backward {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let late = 200_u64.saturating_sub(50 * self.0.fetch_add(1, Ordering::SeqCst) as u64);
        ResponseTemplate::new(200)
            .set_body_json(answer_to(request))
            .set_delay(Duration::from_millis(late))
    }
}

/// Answers from a list, the last one for ever.
struct Sequence(Mutex<Vec<ResponseTemplate>>);

impl Sequence {
    fn new(mut answers: Vec<ResponseTemplate>) -> Self {
        answers.reverse();
        Self(Mutex::new(answers))
    }
}

impl Respond for Sequence {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut answers = self.0.lock().unwrap();
        if answers.len() > 1 {
            answers.pop().unwrap()
        } else {
            answers[0].clone()
        }
    }
}

fn good() -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({ "data": [{ "index": 0, "embedding": [0.6, 0.8] }] }))
}

fn status(code: u16) -> ResponseTemplate {
    ResponseTemplate::new(code).set_body_json(json!({ "error": { "message": format!("no, because {code}") } }))
}

async fn server_of(respond: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(respond).mount(&server).await;
    server
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.unwrap()
}

async fn inputs(server: &MockServer) -> Vec<Value> {
    let bodies = requests(server).await;
    bodies
        .iter()
        .map(|request| request.body_json::<Value>().unwrap()["input"].clone())
        .collect()
}

#[tokio::test]
async fn the_request_is_what_the_api_documents() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/embeddings"))
        .and(header("authorization", format!("Bearer {CANARY}")))
        .and(header("content-type", "application/json"))
        .and(header("openai-organization", "org-1"))
        .and(body_partial_json(json!({
            "model": "text-embedding-3-small", "input": ["hello"], "encoding_format": "float", "dimensions": 2
        })))
        .respond_with(good())
        .expect(1)
        .mount(&server)
        .await;
    let model = client(&server)
        .model("text-embedding-3-small")
        .dimensions(2)
        .organization("org-1")
        .build()
        .unwrap();
    assert_eq!((model.model(), model.dim()), ("text-embedding-3-small", Some(2)));
    assert_eq!(model.embed_query("hello").await.unwrap(), [0.6, 0.8]);
}

#[tokio::test]
async fn azure_gets_its_own_address_and_header() {
    let server = MockServer::start().await;
    Mock::given(path("/openai/deployments/mine/embeddings"))
        .and(query_param("api-version", "2024-10-21"))
        .and(header("api-key", CANARY))
        .respond_with(good())
        .expect(2)
        .mount(&server)
        .await;
    let builder = OpenAiEmbeddings::builder();
    for builder in [
        builder
            .clone()
            .api_key(CANARY)
            .azure(&server.uri(), "mine", "2024-10-21"),
        builder
            .azure(&format!("{}/", server.uri()), "mine", "2024-10-21")
            .api_key(CANARY),
    ] {
        builder.build().unwrap().embed_query("a").await.unwrap();
    }
    assert!(
        requests(&server)
            .await
            .iter()
            .all(|request| !request.headers.contains_key("authorization"))
    );
}

#[tokio::test]
async fn a_server_without_keys_sees_none() {
    let server = server_of(good()).await;
    let model = client(&server)
        .without_api_key()
        .header("x-team", "blue")
        .query("tier", "1")
        .build()
        .unwrap();
    model.embed_query("a").await.unwrap();
    let request = &requests(&server).await[0];
    assert!(!request.headers.contains_key("authorization"));
    assert_eq!(request.headers["x-team"], "blue");
    assert_eq!(request.url.query(), Some("tier=1"));
}

#[tokio::test]
async fn order_is_kept_when_later_batches_answer_first() {
    let server = server_of(Backward::default()).await;
    let model = client(&server).chunk_size(3).concurrency(4).build().unwrap();
    let texts: Vec<String> = (0..20).map(|i| "x".repeat(i) + &i.to_string()).collect();
    let vectors = model.embed_documents(&texts).await.unwrap();
    for (text, vector) in texts.iter().zip(&vectors) {
        assert_eq!(
            json!(vector),
            json!(serde_json::from_value::<Vec<f32>>(vector_of(&json!(text))).unwrap())
        );
    }
    let mut sizes: Vec<usize> = inputs(&server)
        .await
        .iter()
        .map(|input| input.as_array().unwrap().len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 3, 3, 3, 3, 3]);
}

#[tokio::test]
async fn as_many_batches_are_in_flight_as_asked() {
    for together in [1, 3] {
        // Nobody is answered in this test's lifetime: what arrives was sent without waiting for an answer.
        let server = server_of(good().set_delay(Duration::from_secs(3600))).await;
        let model = client(&server).chunk_size(1).concurrency(together).build().unwrap();
        let texts: Vec<String> = (0..6).map(|i| i.to_string()).collect();
        let arrived = async {
            while requests(&server).await.len() < together {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        tokio::select! {
            answer = model.embed_documents(&texts) => panic!("{answer:?}"),
            () = arrived => {}
        }
        assert_eq!(requests(&server).await.len(), together);
    }
}

#[tokio::test]
async fn a_shuffled_answer_is_put_in_order() {
    let data = json!({ "data": [{ "index": 1, "embedding": [0.0, 1.0] }, { "index": 0, "embedding": [1.0, 0.0] }] });
    let server = server_of(ResponseTemplate::new(200).set_body_json(data)).await;
    let vectors = client(&server)
        .build()
        .unwrap()
        .embed_documents(&texts(&["a", "b"]))
        .await
        .unwrap();
    assert_eq!(vectors, [[1.0, 0.0], [0.0, 1.0]]);
}

#[tokio::test]
async fn an_answer_without_indexes_is_taken_in_order_and_base64_is_read() {
    // 1.0 and -2.0, little-endian.
    let data = json!({ "data": [{ "embedding": "AACAPwAAAMA=" }, { "embedding": [3, 4.5] }] });
    let server = server_of(ResponseTemplate::new(200).set_body_json(data)).await;
    let vectors = client(&server)
        .build()
        .unwrap()
        .embed_documents(&texts(&["a", "b"]))
        .await
        .unwrap();
    assert_eq!(vectors, [[1.0, -2.0], [3.0, 4.5]]);
}

#[tokio::test]
async fn a_batch_holds_no_more_tokens_than_allowed() {
    let server = server_of(Backward::default()).await;
    let model = client(&server).max_request_tokens(10).build().unwrap();
    // One token a word.
    let texts = texts(&[
        "one two three four",
        "one two three four",
        "one two three four",
        "one two three four five six",
    ]);
    model.embed_documents(&texts).await.unwrap();
    let mut sizes: Vec<usize> = inputs(&server)
        .await
        .iter()
        .map(|input| input.as_array().unwrap().len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 2]);
}

#[tokio::test]
async fn a_long_text_is_the_weighted_average_of_its_pieces() {
    let server = server_of(Backward::default()).await;
    let model = client(&server).embedding_ctx_length(4).build().unwrap();
    let texts = texts(&["one two", "one two three four five six", "seven"]);
    let vectors = model.embed_documents(&texts).await.unwrap();

    let mut sent = inputs(&server).await;
    sent.sort_by_key(|input| input[0].is_array());
    assert_eq!(sent[0], json!(["one two", "seven"]), "short texts are sent as they are");
    let pieces = sent[1].as_array().unwrap();
    let lengths: Vec<usize> = pieces.iter().map(|piece| piece.as_array().unwrap().len()).collect();
    assert_eq!(lengths, [4, 2]);

    let part = |i: usize| serde_json::from_value::<Vec<f64>>(vector_of(&pieces[i])).unwrap();
    let sum: Vec<f64> = part(0)
        .iter()
        .zip(part(1))
        .map(|(a, b)| (4.0 * a + 2.0 * b) / 6.0)
        .collect();
    let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    for (got, expected) in vectors[1].iter().zip(&sum) {
        assert!(
            (f64::from(*got) - expected / norm).abs() < 1e-6,
            "{:?} {sum:?}",
            vectors[1]
        );
    }
    assert_eq!(
        json!(vectors[2][0]),
        json!(5.0),
        "a short text's vector is not rescaled"
    );
}

#[tokio::test]
async fn unmeasured_texts_are_sent_as_they_are() {
    let server = server_of(Backward::default()).await;
    let model = client(&server)
        .embedding_ctx_length(1)
        .check_ctx_length(false)
        .build()
        .unwrap();
    model.embed_query("one two three").await.unwrap();
    assert_eq!(inputs(&server).await, [json!(["one two three"])]);
}

#[tokio::test]
async fn empty_texts_are_sent_unless_told_otherwise() {
    let server = server_of(Backward::default()).await;
    client(&server)
        .build()
        .unwrap()
        .embed_documents(&texts(&["", "a"]))
        .await
        .unwrap();
    let model = client(&server).skip_empty(true).build().unwrap();
    let vectors = model.embed_documents(&texts(&["", "a", " \n"])).await.unwrap();
    assert_eq!(inputs(&server).await, [json!(["", "a"]), json!(["a"])]);
    assert_eq!((&vectors[0], &vectors[2]), (&vec![0.0; 3], &vec![0.0; 3]));
    assert_ne!(vectors[1], [0.0; 3]);

    let fresh = client(&server).skip_empty(true).build().unwrap();
    let error = fresh.embed_query("").await.unwrap_err();
    assert!(error.to_string().ends_with("set `dimensions`"), "{error}");
}

#[tokio::test]
async fn no_texts_need_no_request() {
    let server = server_of(status(500)).await;
    assert!(
        client(&server)
            .build()
            .unwrap()
            .embed_documents(&[])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(requests(&server).await.is_empty());
}

#[tokio::test]
async fn old_models_read_newlines_as_blanks() {
    let server = server_of(Backward::default()).await;
    for model in ["text-similarity-ada-001", "text-embedding-ada-002"] {
        client(&server)
            .model(model)
            .build()
            .unwrap()
            .embed_query("a\nb")
            .await
            .unwrap();
    }
    assert_eq!(inputs(&server).await, [json!(["a b"]), json!(["a\nb"])]);
}

#[tokio::test]
async fn passing_failures_are_retried() {
    for code in [408, 409, 429, 500, 502, 503, 529] {
        let server = server_of(Sequence::new(vec![status(code), status(code), good()])).await;
        let vector = client(&server).build().unwrap().embed_query("a").await.unwrap();
        assert_eq!((vector.len(), requests(&server).await.len()), (2, 3), "{code}");
    }
}

#[tokio::test]
async fn retry_after_is_respected() {
    let wait = status(429).insert_header("retry-after", "0.3");
    let server = server_of(Sequence::new(vec![wait, good()])).await;
    // Our own first pause would be an hour: that this ends in time is the server's number.
    let model = client(&server).retry_delay(Duration::from_secs(3600)).build().unwrap();
    let call = model.embed_query("a");
    tokio::pin!(call);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut call).await;
    assert!(early.is_err(), "the server asked for 300 ms");
    let answer = tokio::time::timeout(Duration::from_secs(600), call)
        .await
        .expect("the pause is the server's");
    assert_eq!(answer.unwrap(), [0.6, 0.8]);
}

#[tokio::test]
async fn a_pause_beyond_the_limit_is_not_waited_for() {
    let far = status(429).insert_header("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT");
    let server = server_of(far).await;
    let error = client(&server).build().unwrap().embed_query("a").await.unwrap_err();
    let Error::Api {
        status: 429,
        attempts: 1,
        retry_after: Some(pause),
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert!(pause > Duration::from_secs(60));
}

#[tokio::test]
async fn a_failure_that_stays_is_an_error_after_the_last_retry() {
    for retries in [0, 2] {
        let server = server_of(status(500)).await;
        let error = client(&server)
            .max_retries(retries)
            .build()
            .unwrap()
            .embed_query("a")
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the embedding server answered 500 for model \"text-embedding-ada-002\" after {} attempt(s): \
                 no, because 500",
                retries + 1
            )
        );
        assert_eq!(requests(&server).await.len(), retries as usize + 1);
    }
}

#[tokio::test]
async fn lasting_refusals_are_not_retried() {
    let quota = json!({ "error": { "message": "pay first", "code": "insufficient_quota" } });
    let cases = [
        (status(400), "no, because 400"),
        (status(401), "no, because 401"),
        (status(404), "no, because 404"),
        (ResponseTemplate::new(301).insert_header("location", "/elsewhere"), ""),
        (ResponseTemplate::new(429).set_body_json(quota), "pay first"),
        (
            ResponseTemplate::new(403).set_body_json(json!({ "error": "plain" })),
            "plain",
        ),
        (
            ResponseTemplate::new(422).set_body_json(json!({ "detail": "as FastAPI" })),
            "as FastAPI",
        ),
        (
            ResponseTemplate::new(413).set_body_string("<html>too large"),
            "<html>too large",
        ),
    ];
    for (answer, expected) in cases {
        let server = server_of(answer).await;
        let error = client(&server).build().unwrap().embed_query("a").await.unwrap_err();
        let Error::Api {
            message, attempts: 1, ..
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(message, expected);
        assert_eq!(requests(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn a_long_explanation_is_cut() {
    let server = server_of(ResponseTemplate::new(400).set_body_string("ü".repeat(1_000_000))).await;
    let error = client(&server).build().unwrap().embed_query("a").await.unwrap_err();
    assert!(error.to_string().chars().count() < 600);
}

#[tokio::test]
async fn silence_is_a_timeout_and_is_retried() {
    let slow = good().set_delay(Duration::from_secs(30));
    let server = server_of(Sequence::new(vec![slow.clone(), good()])).await;
    let quick = |server| client(server).timeout(Duration::from_millis(100));
    assert_eq!(
        quick(&server).build().unwrap().embed_query("a").await.unwrap(),
        [0.6, 0.8]
    );

    let server = server_of(slow).await;
    let error = quick(&server)
        .max_retries(1)
        .build()
        .unwrap()
        .embed_query("a")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { attempts: 2, .. }), "{error:?}");
    assert!(error.to_string().contains("100ms"), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_a_connection_error() {
    // Bound and closed again: the port was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://user:{CANARY}@127.0.0.1:{port}/v1?secret={CANARY}");
    let model = OpenAiEmbeddings::builder()
        .base_url(url)
        .without_api_key()
        .retry_delay(Duration::ZERO)
        .build()
        .unwrap();
    let error = model.embed_query("a").await.unwrap_err();
    assert!(matches!(error, Error::Connection { attempts: 3, .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot reach the embedding server 127.0.0.1:{port} ")),
        "{error}"
    );
    for shown in [format!("{error:?} {error}"), format!("{model:?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

#[tokio::test]
async fn answers_that_are_no_embeddings_are_malformed() {
    let one = |embedding: &str| format!("{{\"data\":[{{\"index\":0,\"embedding\":{embedding}}}]}}");
    let bodies = [
        String::new(),
        "not json".into(),
        "{}".into(),
        "{\"data\":7}".into(),
        "{\"data\":[{\"index\":0}]}".into(),
        "{\"data\":[{\"index\":1,\"embedding\":[1]}]}".into(),
        one("[1,null]"),
        one("\"AAA\""),
        one("\"AAAA\""),
        one("[1").to_string(),
    ];
    for body in bodies {
        let server = server_of(ResponseTemplate::new(200).set_body_string(body.clone())).await;
        let error = client(&server).build().unwrap().embed_query("a").await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{body}: {error:?}");
        assert_eq!(
            requests(&server).await.len(),
            1,
            "asking again would cost and change nothing"
        );
    }
}

#[tokio::test]
async fn wrong_numbers_in_an_answer_are_refused() {
    let answer = |vectors: Value| {
        let vectors = vectors.as_array().unwrap().clone();
        let items = vectors
            .iter()
            .enumerate()
            .map(|(i, vector)| json!({ "index": i, "embedding": vector }));
        ResponseTemplate::new(200).set_body_json(json!({ "data": items.collect::<Vec<_>>() }))
    };
    let two = texts(&["a", "b"]);
    for vectors in [json!([[1]]), json!([[1], [2], [3]]), json!([])] {
        let server = server_of(answer(vectors)).await;
        let error = client(&server)
            .build()
            .unwrap()
            .embed_documents(&two)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Count { expected: 2, .. }), "{error:?}");
    }
    let server = server_of(answer(json!([[1, 2], [1]]))).await;
    let error = client(&server)
        .build()
        .unwrap()
        .embed_documents(&two)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Width {
                position: 1,
                expected: 2,
                got: 1,
                ..
            }
        ),
        "{error:?}"
    );
    let server = server_of(answer(json!([[1, 2], [1e39, 1]]))).await;
    let error = client(&server)
        .build()
        .unwrap()
        .embed_documents(&two)
        .await
        .unwrap_err();
    // A JSON reader of exact floats refuses the number itself.
    let refused = matches!(error, Error::NonFinite { position: 1, .. } | Error::Malformed { .. });
    assert!(refused, "{error:?}");
    let server = server_of(answer(json!([[], []]))).await;
    let error = client(&server)
        .build()
        .unwrap()
        .embed_documents(&two)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::EmptyVector { .. }), "{error:?}");
}

#[tokio::test]
async fn batches_of_different_widths_are_refused() {
    let three = ResponseTemplate::new(200).set_body_json(json!({ "data": [{ "index": 0, "embedding": [1, 2, 3] }] }));
    let server = server_of(Sequence::new(vec![good(), three])).await;
    let model = client(&server).chunk_size(1).concurrency(1).build().unwrap();
    let error = model.embed_documents(&texts(&["a", "b"])).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Width {
                expected: 2,
                got: 3,
                ..
            }
        ),
        "{error:?}"
    );
    let model = client(&server).dimensions(256).build().unwrap();
    assert!(matches!(
        model.embed_query("a").await,
        Err(Error::Width {
            expected: 256,
            got: 3,
            ..
        })
    ));
}

#[tokio::test]
async fn the_key_is_shown_nowhere() {
    let echo = |code: u16| {
        let message = format!("Incorrect API key provided: {CANARY}. {}{CANARY}", "x".repeat(390));
        ResponseTemplate::new(code).set_body_json(json!({ "error": { "message": message } }))
    };
    let answers = [
        echo(401),
        echo(500),
        ResponseTemplate::new(400).set_body_string(CANARY.repeat(100)),
        ResponseTemplate::new(200).set_body_string(format!("{{\"data\":\"{CANARY}\"}}")),
        good().set_delay(Duration::from_secs(30)),
        good().set_body_json(json!({ "data": [] })),
    ];
    for answer in answers {
        let server = server_of(answer).await;
        let builder = client(&server)
            .header("x-extra", CANARY)
            .query("code", CANARY)
            .timeout(Duration::from_millis(100));
        let debug = format!("{builder:?} {builder:#?}");
        let model = builder.build().unwrap();
        let error = model.embed_query("a").await.unwrap_err();
        let chain = format!("{:?}", std::error::Error::source(&error));
        for shown in [
            debug,
            format!("{model:?} {model:#?}"),
            format!("{error:?} {error:#?}"),
            error.to_string(),
            chain,
        ] {
            assert!(!shown.contains(CANARY), "{shown}");
        }
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    type Change = fn(OpenAiBuilder) -> OpenAiBuilder;
    let with = |change: Change| change(OpenAiEmbeddings::builder().api_key(CANARY)).build();
    let cases: [(Change, &str); 9] = [
        (
            |b| b.dimensions(0),
            "dimensions = \"0\" cannot be used: it must be at least 1",
        ),
        (
            |b| b.chunk_size(0),
            "chunk_size = \"0\" cannot be used: it must be at least 1",
        ),
        (
            |b| b.concurrency(0),
            "concurrency = \"0\" cannot be used: it must be at least 1",
        ),
        (
            |b| b.max_request_tokens(0),
            "max_request_tokens = \"0\" cannot be used: it must be at least 1",
        ),
        (
            |b| b.embedding_ctx_length(0),
            "embedding_ctx_length = \"0\" cannot be used: it must be at least 1",
        ),
        (
            |b| b.api_key("a\nb"),
            "api_key = \"[hidden]\" cannot be used: it has characters that no HTTP header can carry",
        ),
        (
            |b| b.header("a b", "c"),
            "header = \"a b\" cannot be used: it is no header name",
        ),
        (
            |b| b.base_url("ftp://x"),
            "base_url = \"[hidden]\" cannot be used: it must begin with http:// or https://",
        ),
        (
            |b| b.base_url("localhost"),
            "base_url = \"[hidden]\" cannot be used: it is no URL: relative URL without a base",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(with(change).unwrap_err().to_string(), message);
    }
}

#[tokio::test]
async fn a_well_behaved_server_conforms() {
    let server = server_of(Backward::default()).await;
    conformance::check(&client(&server).build().unwrap()).await.unwrap();
}
