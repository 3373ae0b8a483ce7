//! Maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): relevant, but not all the same.

use anear_kernels::Metric;

/// Chooses `k` of `candidates`, most relevant first, each new one weighed against those already chosen.
///
/// Similarity is the cosine, whatever distance the store uses, as in LangChain. The first choice is the candidate
/// most similar to `query`; every further one has the largest `lambda_mult * similarity to the query -
/// (1 - lambda_mult) * largest similarity to a chosen one`. Ties go to the earlier candidate.
///
/// ```
/// use anear_store::maximal_marginal_relevance;
/// let candidates = [[1.0, 0.1], [1.0, 0.12], [0.6, -0.8]];
/// let candidates: Vec<&[f32]> = candidates.iter().map(|c| &c[..]).collect();
/// // The second candidate says what the first one says already.
/// assert_eq!(maximal_marginal_relevance(&[1.0, 0.0], &candidates, 0.5, 2), [0, 2]);
/// ```
///
/// # Panics
/// When a candidate's length is not the query's.
pub fn maximal_marginal_relevance(query: &[f32], candidates: &[&[f32]], lambda_mult: f32, k: usize) -> Vec<usize> {
    let relevance: Vec<f32> = candidates.iter().map(|c| cosine(query, c)).collect();
    // Similarity of each candidate to the nearest chosen one; nothing is chosen yet.
    let mut redundancy = vec![f32::NEG_INFINITY; candidates.len()];
    let mut open: Vec<usize> = (0..candidates.len()).collect();
    let mut chosen = Vec::with_capacity(k.min(candidates.len()));
    while chosen.len() < k && !open.is_empty() {
        let value = |i: usize| match chosen.is_empty() {
            true => relevance[i],
            false => lambda_mult * relevance[i] - (1.0 - lambda_mult) * redundancy[i],
        };
        let mut at = 0;
        for other in 1..open.len() {
            if value(open[other]) > value(open[at]) {
                at = other;
            }
        }
        let next = open.remove(at);
        for &i in &open {
            redundancy[i] = redundancy[i].max(cosine(candidates[i], candidates[next]));
        }
        chosen.push(next);
    }
    chosen
}

/// The cosine of two vectors; 0 where it is not defined (a zero vector), as in LangChain.
fn cosine(x: &[f32], y: &[f32]) -> f32 {
    let similarity = 1.0 - Metric::Cosine.distance(x, y);
    if similarity.is_finite() { similarity } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(query: &[f32], candidates: &[Vec<f32>], lambda_mult: f32, k: usize) -> Vec<usize> {
        let candidates: Vec<&[f32]> = candidates.iter().map(Vec::as_slice).collect();
        maximal_marginal_relevance(query, &candidates, lambda_mult, k)
    }

    #[test]
    fn full_weight_on_relevance_is_plain_ranking() {
        let candidates = vec![vec![0.0, 1.0], vec![1.0, 0.0], vec![0.7, 0.7]];
        assert_eq!(choose(&[1.0, 0.0], &candidates, 1.0, 3), [1, 2, 0]);
    }

    #[test]
    fn no_candidate_is_chosen_twice_and_k_is_capped() {
        let candidates = vec![vec![1.0, 0.0]; 3];
        assert_eq!(choose(&[1.0, 0.0], &candidates, 0.5, 9), [0, 1, 2]);
        assert_eq!(choose(&[1.0, 0.0], &candidates, 0.5, 0), [0; 0]);
        assert_eq!(choose(&[1.0, 0.0], &[], 0.5, 2), [0; 0]);
    }

    #[test]
    fn zero_vectors_are_similar_to_nothing() {
        let candidates = vec![vec![0.0, 0.0], vec![0.1, 0.9]];
        assert_eq!(choose(&[1.0, 0.0], &candidates, 0.5, 2), [1, 0]);
    }
}
