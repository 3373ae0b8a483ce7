//! Questions asked in other words than their passage find it, by the shipped table alone.

use std::collections::{BTreeSet, HashMap};

use anear_static_model::{DIM, VOCAB, row};

/// WordPiece for plain ASCII English: enough for these texts, and small enough to trust.
struct WordPiece(HashMap<&'static str, u32>);

impl WordPiece {
    fn new() -> Self {
        Self(VOCAB.lines().zip(0..).collect())
    }

    fn tokens(&self, text: &str) -> Vec<u32> {
        assert!(text.is_ascii(), "{text}");
        let mut spaced = text.to_lowercase();
        for mark in text.chars().filter(char::is_ascii_punctuation).collect::<BTreeSet<_>>() {
            spaced = spaced.replace(mark, &format!(" {mark} "));
        }
        spaced.split_whitespace().flat_map(|word| self.pieces(word)).collect()
    }

    /// The longest pieces first, as BERT takes them.
    fn pieces(&self, word: &str) -> Vec<u32> {
        let mut pieces = Vec::new();
        let mut rest = word;
        while !rest.is_empty() {
            let mark = if pieces.is_empty() { "" } else { "##" };
            let id = |end| {
                self.0
                    .get(format!("{mark}{}", &rest[..end]).as_str())
                    .map(|&id| (end, id))
            };
            let (end, id) = (1..=rest.len())
                .rev()
                .find_map(id)
                .expect("every ASCII letter is a piece");
            pieces.push(id);
            rest = &rest[end..];
        }
        pieces
    }

    fn vector(&self, text: &str) -> Vec<f32> {
        let mut sum = vec![0.0; DIM];
        for token in self.tokens(text) {
            let (codes, scale) = row(token).expect("an id of the vocabulary");
            sum.iter_mut()
                .zip(codes)
                .for_each(|(sum, &code)| *sum += scale * f32::from(code));
        }
        let length = dot(&sum, &sum).sqrt();
        sum.iter().map(|x| x / length).collect()
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// How many passages are nearer to the question than its own.
fn rank(question: &str, own: &str, passages: &[String], model: &WordPiece) -> usize {
    let question = model.vector(question);
    let likeness = |passage: &str| dot(&question, &model.vector(passage));
    passages
        .iter()
        .filter(|passage| likeness(passage) > likeness(own))
        .count()
}

#[test]
fn most_questions_find_their_passage_first() {
    // Pairs of one meaning and few common words; every passage competes for every question.
    let pairs: Vec<(String, String)> = serde_json::from_str(include_str!("paraphrases.json")).expect("pairs");
    let model = WordPiece::new();
    let passages: Vec<String> = pairs.iter().map(|(_, passage)| passage.clone()).collect();
    let ranks: Vec<usize> = pairs.iter().map(|(q, p)| rank(q, p, &passages, &model)).collect();
    let within = |places: usize| ranks.iter().filter(|&&rank| rank < places).count();
    assert!(pairs.len() >= 40, "{} pairs", pairs.len());
    // Measured: 43 first, 47 in the first three (AGREEMENT.md); a few may move with another table.
    assert!(
        within(1) * 10 >= pairs.len() * 8,
        "first: {} of {}",
        within(1),
        pairs.len()
    );
    assert!(
        within(3) * 10 >= pairs.len() * 9,
        "in the first three: {} of {}",
        within(3),
        pairs.len()
    );
}

#[test]
fn a_name_in_pieces_outweighs_the_words_around_it() {
    let model = WordPiece::new();
    let named =
        "I nominated Circuit Court of Appeals Judge Ketanji Brown Jackson, who will continue a legacy of excellence.";
    let others = [
        "I spoke with the president of Mexico about the border, and what he said about trade was welcome.",
        "Tonight I announce a plan to fight inflation, and the president of the union said that wages must rise.",
        "What did we do? We passed a rescue plan, we said that help was on the way, and help came.",
        "The president talked about what the people had said about roads, bridges and airports.",
    ];
    let passages: Vec<String> = others.iter().chain([&named]).map(ToString::to_string).collect();
    let question = "What did the president say about Ketanji Brown Jackson";
    assert_eq!(rank(question, named, &passages, &model), 0);
}
