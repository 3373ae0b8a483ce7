//! The models without a server, and the layers around any model.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anear_embeddings::{
    CachedEmbeddings, Checked, DefaultEmbeddings, Embeddings, Error, FakeEmbeddings, RateLimitedEmbeddings, Result,
    TableEmbeddings, conformance,
};
use async_trait::async_trait;
use tokio::time::Instant;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Gives whatever it is told to give, one answer after the other, and keeps what it was asked.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<Vec<Vec<Vec<f32>>>>,
    asked: Mutex<Vec<Vec<String>>>,
}

impl Scripted {
    fn new(answers: &[&[&[f32]]]) -> Self {
        let answers = answers
            .iter()
            .rev()
            .map(|batch| batch.iter().map(|vector| vector.to_vec()).collect());
        Self {
            answers: Mutex::new(answers.collect()),
            asked: Mutex::default(),
        }
    }
}

#[async_trait]
impl Embeddings for Scripted {
    fn model(&self) -> &str {
        "scripted"
    }

    fn dim(&self) -> Option<usize> {
        None
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.asked.lock().unwrap().push(texts.to_vec());
        Ok(self.answers.lock().unwrap().pop().unwrap())
    }
}

#[tokio::test]
async fn every_model_here_keeps_the_contract() {
    let models: [Box<dyn Embeddings>; 6] = [
        Box::new(DefaultEmbeddings::new()),
        Box::new(FakeEmbeddings::new(3)),
        Box::new(Checked::new(FakeEmbeddings::new(64))),
        Box::new(CachedEmbeddings::new(FakeEmbeddings::new(64), 3)),
        Box::new(CachedEmbeddings::new(DefaultEmbeddings::new(), 0)),
        Box::new(
            RateLimitedEmbeddings::new(FakeEmbeddings::new(64))
                .max_concurrent(1)
                .unwrap(),
        ),
    ];
    for model in &models {
        conformance::check(model.as_ref())
            .await
            .unwrap_or_else(|broken| panic!("{model:?}: {broken}"));
    }
}

#[tokio::test]
async fn conformance_notices_models_that_lie() {
    let constant = TableEmbeddings::new::<String>([]).with_fallback(vec![1.0, 0.0]);
    let broken = conformance::check(&constant).await.unwrap_err();
    assert_eq!(broken.to_string(), "two unrelated sentences have one vector");
    let infinite = TableEmbeddings::new::<String>([]).with_fallback(vec![f32::INFINITY]);
    assert!(matches!(
        conformance::check(&infinite).await.unwrap_err(),
        conformance::Violation::Failed {
            error: Error::NonFinite { .. },
            ..
        }
    ));
}

#[tokio::test]
async fn the_default_model_finds_passages_asked_in_other_words() {
    let passages = texts(&[
        "The physician prescribed medicine for the child's fever.",
        "The orchestra played a symphony in the concert hall.",
        "Heavy rain flooded the streets of the city.",
        "The company reported record profits this quarter.",
        "Engineers repaired the broken bridge over the river.",
    ]);
    let questions = [
        "Which drug did the doctor give?",
        "Where could one hear classical music?",
        "How was the weather?",
        "How much money did the business earn?",
        "Who fixed the crossing?",
    ];
    let model = DefaultEmbeddings::new();
    let vectors = model.embed_documents(&passages).await.unwrap();
    let mut right = 0;
    for (expected, question) in questions.iter().enumerate() {
        let query = model.embed_query(question).await.unwrap();
        let dot = |v: &Vec<f32>| v.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let best = (0..passages.len())
            .max_by(|a, b| dot(&vectors[*a]).total_cmp(&dot(&vectors[*b])))
            .unwrap();
        right += usize::from(best == expected);
    }
    assert!(right >= 4, "only {right} of 5 questions found their passage");
}

#[tokio::test]
async fn the_default_model_reads_like_its_table_says() {
    // "unaffordable" is the pieces una, ##ff, ##ord, ##able in BERT's vocabulary.
    let vocab: Vec<&str> = anear_static_model::VOCAB.lines().collect();
    let mut sum = vec![0.0_f64; anear_static_model::DIM];
    for token in ["cafe", "una", "##ff", "##ord", "##able", "!"] {
        let id = vocab.iter().position(|line| *line == token).unwrap();
        let (codes, scale) = anear_static_model::row(id as u32).unwrap();
        sum.iter_mut()
            .zip(codes)
            .for_each(|(sum, code)| *sum += f64::from(scale) * f64::from(*code));
    }
    let norm = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    let vector = DefaultEmbeddings::new()
        .embed_query("  CAFÉ\u{200d}\nunaffordable!")
        .await
        .unwrap();
    for (got, expected) in vector.iter().zip(&sum) {
        assert!((f64::from(*got) - expected / norm).abs() < 1e-5);
    }
}

#[tokio::test]
async fn texts_the_default_model_cannot_read_have_a_direction_of_their_own() {
    let model = DefaultEmbeddings::new();
    let vectors = model
        .embed_documents(&texts(&["", "  \n", "🙂", " 🙂 ", "🚀🚀"]))
        .await
        .unwrap();
    for vector in &vectors {
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    assert_eq!(vectors[0], vectors[1]);
    assert_eq!(vectors[2], vectors[3]);
    assert_ne!(vectors[2], vectors[4]);
    assert_ne!(vectors[0], vectors[2]);
}

#[tokio::test]
async fn the_default_model_gives_questions_the_vectors_of_texts_and_lets_them_wait_for_none() {
    let pool = anear_pool::Pool::new(1).unwrap();
    let model = DefaultEmbeddings::on(pool.clone());
    let vectors = model.embed_documents(&texts(&["a boat", ""])).await.unwrap();
    let (finish, finished) = std::sync::mpsc::channel::<()>();
    pool.spawn(move || finished.recv().unwrap());
    assert_eq!(model.embed_query("a boat").await.unwrap(), vectors[0]);
    assert_eq!(model.embed_query("").await.unwrap(), vectors[1]);
    finish.send(()).unwrap();
}

#[tokio::test]
async fn the_default_model_gives_the_same_vectors_on_any_number_of_threads() {
    let texts: Vec<String> = (0..700)
        .map(|i| format!("sentence number {i} speaks of {}", i * i))
        .collect();
    let mut all = Vec::new();
    for threads in [1, 5] {
        let pool = anear_pool::Pool::new(threads).unwrap();
        all.push(DefaultEmbeddings::on(pool).embed_documents(&texts).await.unwrap());
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(
        all[0][699],
        DefaultEmbeddings::new().embed_query(&texts[699]).await.unwrap()
    );
}

#[tokio::test]
async fn fake_vectors_never_change() {
    let vector = FakeEmbeddings::new(4).embed_query("anear").await.unwrap();
    let bits: Vec<u32> = vector.iter().map(|x| x.to_bits()).collect();
    // Golden: users' tests may keep numbers that come from these.
    assert_eq!(bits, [3_157_706_006, 3_211_390_677, 1_051_981_949, 3_192_918_618]);
}

#[tokio::test]
async fn a_table_knows_its_texts_only() {
    let table = TableEmbeddings::new([("a", vec![1.0, 0.0])]);
    assert_eq!(table.dim(), Some(2));
    let error = table
        .embed_documents(&texts(&["a", &"ü".repeat(1000)]))
        .await
        .unwrap_err();
    assert!(error.to_string().chars().count() < 200, "{error}");
    assert_eq!(
        table.with_fallback(vec![0.0, 1.0]).embed_query("b").await.unwrap(),
        [0.0, 1.0]
    );
}

#[tokio::test]
async fn lies_are_errors_that_name_the_number() {
    let two = texts(&["a", "b"]);
    let lie = |answers: &[&[f32]]| Checked::new(Scripted::new(&[answers]));
    let cases: [(&[&[f32]], &str); 5] = [
        (&[&[1.0]], "model \"scripted\" gave 1 vector(s) for 2 text(s)"),
        (
            &[&[1.0], &[1.0], &[1.0]],
            "model \"scripted\" gave 3 vector(s) for 2 text(s)",
        ),
        (
            &[&[1.0, 2.0], &[1.0]],
            "model \"scripted\" gave a vector of dimension 1 for text 1, expected 2",
        ),
        (&[&[], &[]], "model \"scripted\" gave an empty vector for text 0"),
        (
            &[&[1.0, 0.0], &[1.0, f32::NAN]],
            "model \"scripted\" gave NaN in component 1 of the vector for text 1",
        ),
    ];
    for (answers, message) in cases {
        let model = lie(answers);
        assert_eq!(model.embed_documents(&two).await.unwrap_err().to_string(), message);
        assert_eq!(model.dim(), None, "a refused batch sets no width");
    }
    let error = Scripted::new(&[&[]]).embed_query("a").await.unwrap_err();
    assert_eq!(error.to_string(), "model \"scripted\" gave 0 vector(s) for 1 text(s)");
}

#[tokio::test]
async fn the_first_batch_sets_the_width_of_all_later_ones() {
    let model = Checked::new(Scripted::new(&[&[&[1.0, 0.0]], &[&[1.0, 0.0, 0.0]], &[&[0.0, 1.0]]]));
    let one = texts(&["a"]);
    model.embed_documents(&one).await.unwrap();
    assert_eq!(model.dim(), Some(2));
    assert!(matches!(
        model.embed_query("b").await,
        Err(Error::Width {
            expected: 2,
            got: 3,
            ..
        })
    ));
    assert!(model.embed_documents(&one).await.is_ok());
}

#[tokio::test]
async fn positions_in_errors_hold_beyond_the_first_slice() {
    let mut vectors = vec![vec![1.0_f32; 1024]; 700];
    vectors[600][7] = f32::INFINITY;
    let texts = vec![String::new(); 700];
    let scripted = Scripted {
        answers: Mutex::new(vec![vectors]),
        asked: Mutex::default(),
    };
    let error = Checked::new(scripted).embed_documents(&texts).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::NonFinite {
                position: 600,
                component: 7,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_cache_asks_only_for_what_it_does_not_know() {
    let scripted = Scripted::new(&[&[&[1.0], &[2.0]], &[&[3.0]], &[&[1.5]]]);
    let model = CachedEmbeddings::new(scripted, 2);
    assert_eq!(
        model.embed_documents(&texts(&["a", "b", "a"])).await.unwrap(),
        [[1.0], [2.0], [1.0]]
    );
    assert_eq!(
        model.embed_documents(&texts(&["b", "c", "b"])).await.unwrap(),
        [[2.0], [3.0], [2.0]]
    );
    // "a" was used longest ago and is forgotten; "b" and "c" are not.
    assert_eq!(
        model.embed_documents(&texts(&["c", "b"])).await.unwrap(),
        [[3.0], [2.0]]
    );
    assert_eq!(model.embed_documents(&texts(&["a"])).await.unwrap(), [[1.5]]);
    let asked = model.inner().asked.lock().unwrap();
    assert_eq!(*asked, [texts(&["a", "b"]), texts(&["c"]), texts(&["a"])]);
}

#[tokio::test]
async fn a_cache_gives_what_the_model_gives_whatever_the_order() {
    let cached = CachedEmbeddings::new(FakeEmbeddings::new(5), 7);
    let plain = FakeEmbeddings::new(5);
    for round in 0..200_usize {
        let batch: Vec<String> = (0..round % 11)
            .map(|i| ((round * 7 + i * i) % 13).to_string())
            .collect();
        assert_eq!(
            cached.embed_documents(&batch).await.unwrap(),
            plain.embed_documents(&batch).await.unwrap()
        );
        assert_eq!(
            cached.embed_query("q").await.unwrap(),
            plain.embed_query("q").await.unwrap()
        );
    }
    cached.clear();
    assert_eq!(
        cached.embed_query("q").await.unwrap(),
        plain.embed_query("q").await.unwrap()
    );
}

#[tokio::test]
async fn a_cache_does_not_remember_failures() {
    let model = CachedEmbeddings::new(Scripted::new(&[&[], &[&[1.0]]]), 10);
    assert!(matches!(
        model.embed_documents(&texts(&["a"])).await,
        Err(Error::Count {
            expected: 1,
            got: 0,
            ..
        })
    ));
    assert_eq!(model.embed_documents(&texts(&["a"])).await.unwrap(), [[1.0]]);
}

/// Notes when it is called and how many calls are inside at once.
#[derive(Debug, Default)]
struct Watched {
    inside: AtomicUsize,
    most: AtomicUsize,
    starts: Mutex<Vec<Instant>>,
}

#[async_trait]
impl Embeddings for Watched {
    fn model(&self) -> &str {
        "watched"
    }

    fn dim(&self) -> Option<usize> {
        Some(1)
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        self.starts.lock().unwrap().push(Instant::now());
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(vec![vec![1.0]; texts.len()])
    }
}

#[tokio::test(start_paused = true)]
async fn never_more_calls_run_at_once_than_allowed() {
    let model = RateLimitedEmbeddings::new(Watched::default())
        .max_concurrent(3)
        .unwrap();
    let calls = (0..20).map(|_| model.embed_query("a"));
    futures::future::try_join_all(calls).await.unwrap();
    assert_eq!(model.inner().most.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn no_interval_sees_more_starts_than_allowed() {
    let interval = Duration::from_secs(10);
    let model = RateLimitedEmbeddings::new(Watched::default())
        .calls_per(4, interval)
        .unwrap();
    let begin = Instant::now();
    futures::future::try_join_all((0..10).map(|_| model.embed_query("a")))
        .await
        .unwrap();
    let starts = model.inner().starts.lock().unwrap().clone();
    assert!(starts.windows(5).all(|five| five[4] - five[0] >= interval));
    // Ten calls need two full waits and no third one.
    assert!(starts[9] - begin < 3 * interval);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_leaves_its_place_to_the_next() {
    let model = RateLimitedEmbeddings::new(Watched::default())
        .max_concurrent(1)
        .unwrap();
    let first = model.embed_query("a");
    let given_up = tokio::time::timeout(Duration::from_millis(100), model.embed_query("b"));
    let (first, given_up, last) = tokio::join!(first, given_up, model.embed_query("c"));
    assert!(first.is_ok() && given_up.is_err() && last.is_ok());
}

#[test]
fn a_limit_of_nothing_is_refused() {
    let error = RateLimitedEmbeddings::new(FakeEmbeddings::new(1))
        .max_concurrent(0)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_concurrent = \"0\" cannot be used: nothing could ever be sent; give 1 or more"
    );
    let model = RateLimitedEmbeddings::new(FakeEmbeddings::new(1));
    assert!(matches!(
        model.calls_per(0, Duration::from_secs(1)),
        Err(Error::Setting { .. })
    ));
}

#[test]
fn a_missing_tokenizer_is_named() {
    let Err(error) = anear_embeddings::token_length("no/such/tokenizer.json") else {
        panic!("there is no such file")
    };
    assert!(error.to_string().starts_with("no/such/tokenizer.json: "), "{error}");
}

#[cfg(feature = "tiktoken")]
#[test]
fn tokens_are_counted_as_the_encodings_do() {
    let Err(error) = anear_embeddings::tiktoken_length("cl200k") else {
        panic!("there is no cl200k")
    };
    assert!(
        error
            .to_string()
            .starts_with("tokenizer \"cl200k\": no such encoding; there are cl100k_base"),
        "{error}"
    );
    for (encoding, tokens) in [
        ("cl100k_base", 6),
        ("o200k_base", 6),
        ("gpt2", 6),
        ("r50k_base", 6),
        ("p50k_base", 6),
    ] {
        let length = anear_embeddings::tiktoken_length(encoding).unwrap();
        assert_eq!(length("tiktoken is great!"), tokens, "{encoding}");
        assert_eq!(length(""), 0);
    }
}
