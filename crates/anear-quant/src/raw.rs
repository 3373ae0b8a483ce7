//! Raw: every component kept as the `f32` it is (Faiss: the codes of `IndexFlat`).

use std::ops::Range;

use anear_bytes::AlignedBytes;
use anear_kernels::{IdSelector, Metric, Neighbor, Rows, TopK, scan_batch, scan_batch_listed, scan_range};

use crate::{BLOCK, CodeRun, Codes, Quantizer, QuantizerSpec, Scorer};

// Codes are the machine's own floats and go into files as they are; those files are little-endian.
#[cfg(target_endian = "big")]
compile_error!("anear stores vectors little-endian and has not been ported to big-endian machines");

/// Vectors as they are: lossless, four bytes per component.
///
/// ```
/// use anear_bytes::AlignedBytes;
/// use anear_kernels::Rows;
/// use anear_quant::{Quantizer, Raw};
///
/// let raw = Raw::new(2);
/// let mut codes = AlignedBytes::new();
/// raw.encode(Rows::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap(), &mut codes);
/// assert_eq!(codes.len(), 2 * raw.code_len());
/// assert_eq!(raw.rows(codes.as_slice()).row(1), [3.0, 4.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    dim: usize,
}

impl Raw {
    /// For vectors of `dim` components.
    ///
    /// # Panics
    /// When `dim` is 0.
    pub fn new(dim: usize) -> Self {
        assert!(dim > 0, "a vector has at least one component");
        Self { dim }
    }

    /// The codes seen as the vectors they are, without a copy.
    ///
    /// # Panics
    /// When `codes` is not a whole number of codes, or not aligned to four bytes.
    pub fn rows<'a>(&self, codes: &'a [u8]) -> Rows<'a> {
        self.whole(bytemuck::cast_slice(codes))
    }

    fn whole<'a>(&self, floats: &'a [f32]) -> Rows<'a> {
        Rows::new(floats, self.dim).expect("a whole number of codes")
    }

    /// Calls `visit` with the vectors of all codes and their numbers: at once, or where they lie askew, as in files of
    /// Faiss's that are mapped, block by block as copies.
    fn for_each_run(&self, codes: &[u8], mut visit: impl FnMut(Range<usize>, Rows<'_>)) {
        if let Ok(floats) = bytemuck::try_cast_slice(codes) {
            let rows = self.whole(floats);
            return visit(0..rows.len(), rows);
        }
        let mut floats = vec![0.0; BLOCK.min(codes.len() / self.code_len()) * self.dim];
        for (start, block) in (0..).step_by(BLOCK).zip(codes.chunks(BLOCK * self.code_len())) {
            floats.truncate(block.len() / size_of::<f32>());
            bytemuck::cast_slice_mut(&mut floats).copy_from_slice(block);
            let rows = self.whole(&floats);
            visit(start..start + rows.len(), rows);
        }
    }
}

impl Quantizer for Raw {
    fn spec(&self) -> QuantizerSpec {
        QuantizerSpec::Raw
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn code_len(&self) -> usize {
        self.dim * size_of::<f32>()
    }

    fn alignment(&self) -> usize {
        align_of::<f32>()
    }

    fn supports(&self, _metric: Metric) -> bool {
        true
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
        assert_eq!(vectors.dim(), self.dim, "rows of the quantizer's dimension");
        codes.extend_from_slice(bytemuck::cast_slice(vectors.as_slice()));
    }

    fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
        self.for_each_run(codes, |_, rows| vectors.extend_from_slice(rows.as_slice()));
    }

    fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
        assert_eq!(query.len(), self.dim, "a query of the quantizer's dimension");
        Box::new(Pairwise {
            raw: *self,
            metric,
            query,
            shift: None,
        })
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn scan(&self, metric: Metric, queries: Rows<'_>, run: &CodeRun<'_>, keep: &IdSelector<'_>, tops: &mut [TopK]) {
        self.for_each_run(run.bytes(), |slots, rows| {
            scan_batch(metric, queries, rows, run.first_id + slots.start as u64, keep, tops);
        });
    }

    fn scans_batches(&self) -> bool {
        true
    }

    fn scan_list(
        &self,
        metric: Metric,
        queries: Rows<'_>,
        codes: &Codes,
        ids: &[u64],
        keep: &IdSelector<'_>,
        tops: &mut [TopK],
    ) {
        self.for_each_run(codes.as_bytes(), |slots, rows| {
            scan_batch_listed(metric, queries, rows, &ids[slots], keep, tops);
        });
    }

    fn scan_range(
        &self,
        metric: Metric,
        query: &[f32],
        run: &CodeRun<'_>,
        keep: &IdSelector<'_>,
        radius: f32,
    ) -> Vec<Neighbor> {
        let mut out = Vec::new();
        self.for_each_run(run.bytes(), |slots, rows| {
            let first_id = run.first_id + slots.start as u64;
            scan_range(metric, query, rows, first_id, keep, radius, &mut out);
        });
        out
    }
}

/// The metric itself, a run of rows or a list of them at a time.
struct Pairwise<'a> {
    raw: Raw,
    metric: Metric,
    /// What codes are compared with.
    query: &'a [f32],
    /// What was taken from every vector before it was encoded.
    shift: Option<Shift>,
}

/// How to compare with vectors from which an origin was taken.
struct Shift {
    /// The query without the origin, for L2.
    query: Vec<f32>,
    /// What every distance lacks: for inner product that of query and origin.
    distance: f32,
}

impl Pairwise<'_> {
    fn query(&self) -> &[f32] {
        self.shift.as_ref().map_or(self.query, |shift| &shift.query)
    }

    fn finish(&self, out: &mut [f32]) {
        if let Some(shift) = &self.shift {
            out.iter_mut().for_each(|distance| *distance += shift.distance);
        }
    }
}

impl Scorer for Pairwise<'_> {
    fn rebase(&mut self, origin: &[f32]) {
        self.shift = Some(match self.metric {
            Metric::L2 => Shift {
                query: self.query.iter().zip(origin).map(|(q, o)| q - o).collect(),
                distance: 0.0,
            },
            Metric::InnerProduct => Shift {
                query: self.query.to_vec(),
                distance: self.metric.distance(self.query, origin),
            },
            other => panic!("residuals are not compared by {other}"),
        });
    }

    fn score_block(&self, codes: &[u8], out: &mut [f32]) {
        self.raw.for_each_run(codes, |slots, rows| {
            self.metric.distances(self.query(), rows, &mut out[slots]);
        });
        self.finish(out);
    }

    fn score_at(&self, codes: &[u8], slots: &[u32], out: &mut [f32]) {
        let rows = self.raw.rows(codes);
        let mut positions = [0; 64];
        for (slots, out) in slots.chunks(positions.len()).zip(out.chunks_mut(positions.len())) {
            let positions = &mut positions[..slots.len()];
            positions
                .iter_mut()
                .zip(slots)
                .for_each(|(position, slot)| *position = *slot as usize);
            self.metric.distances_at(self.query(), rows, positions, out);
        }
        self.finish(out);
    }
}

#[cfg(test)]
mod tests {
    use anear_bytes::Mapping;

    use super::*;

    const DIM: usize = 7;

    /// Raw without its fused scans: what the provided methods of the traits make of it.
    #[derive(Debug)]
    struct Unfused(Raw);

    impl Quantizer for Unfused {
        fn spec(&self) -> QuantizerSpec {
            self.0.spec()
        }
        fn dim(&self) -> usize {
            self.0.dim()
        }
        fn code_len(&self) -> usize {
            self.0.code_len()
        }
        fn supports(&self, metric: Metric) -> bool {
            self.0.supports(metric)
        }
        fn encode(&self, vectors: Rows<'_>, codes: &mut AlignedBytes) {
            self.0.encode(vectors, codes);
        }
        fn decode(&self, codes: &[u8], vectors: &mut Vec<f32>) {
            self.0.decode(codes, vectors);
        }
        fn scorer<'a>(&'a self, metric: Metric, query: &'a [f32]) -> Box<dyn Scorer + 'a> {
            self.0.scorer(metric, query)
        }
        fn save(&self) -> Vec<u8> {
            self.0.save()
        }
    }

    /// `n` vectors of small integers: many equal distances.
    fn vectors(n: usize) -> Vec<f32> {
        (0..n * DIM).map(|i| ((i * 7919) % 13) as f32 - 6.0).collect()
    }

    fn encoded(raw: Raw, vectors: &[f32]) -> Codes {
        raw.codes_of(Rows::new(vectors, DIM).unwrap()).unwrap()
    }

    fn run(codes: &Codes, first_id: u64) -> CodeRun<'_> {
        CodeRun {
            first_id,
            ..CodeRun::all(codes)
        }
    }

    fn top(quantizer: &dyn Quantizer, metric: Metric, queries: &[f32], codes: &Codes) -> Vec<Vec<Neighbor>> {
        let queries = Rows::new(queries, DIM).unwrap();
        let mut tops: Vec<_> = (0..queries.len()).map(|_| TopK::new(9)).collect();
        let keep = IdSelector::Range(105..1_000);
        quantizer.scan(metric, queries, &run(codes, 100), &keep, &mut tops);
        tops.into_iter().map(TopK::into_sorted).collect()
    }

    #[test]
    fn decode_returns_what_encode_got() {
        let raw = Raw::new(DIM);
        let vectors = vectors(5);
        let mut decoded = Vec::new();
        raw.decode(encoded(raw, &vectors).as_bytes(), &mut decoded);
        assert_eq!(decoded, vectors);
    }

    #[test]
    fn fused_scan_equals_the_provided_one() {
        let raw = Raw::new(DIM);
        let (base, queries) = (vectors(700), vectors(40));
        let codes = encoded(raw, &base);
        for &metric in Metric::ALL {
            let fused = top(&raw, metric, &queries, &codes);
            assert_eq!(fused, top(&Unfused(raw), metric, &queries, &codes), "{metric}");
            assert!(fused.iter().flatten().all(|n| (105..800).contains(&n.id)));
        }
    }

    #[test]
    fn fused_list_scan_equals_the_provided_one() {
        let raw = Raw::new(DIM);
        let (base, queries) = (vectors(700), vectors(40));
        let codes = encoded(raw, &base);
        let ids: Vec<u64> = (0..700).map(|i| (i * 7_919) % 1_009).collect();
        let keep = IdSelector::Range(105..900);
        for &metric in Metric::ALL {
            for count in [1, 3, 40] {
                let queries = Rows::new(&queries, DIM).unwrap().slice(0..count);
                let [fused, provided] = [&raw as &dyn Quantizer, &Unfused(raw)].map(|quantizer| {
                    let mut tops: Vec<_> = (0..count).map(|_| TopK::new(9)).collect();
                    quantizer.scan_list(metric, queries, &codes, &ids, &keep, &mut tops);
                    tops.into_iter().map(TopK::into_sorted).collect::<Vec<_>>()
                });
                assert_eq!(fused, provided, "{metric}");
            }
        }
    }

    #[test]
    fn fused_range_scan_equals_the_provided_one() {
        let raw = Raw::new(DIM);
        let (base, query) = (vectors(700), vectors(1));
        let codes = encoded(raw, &base);
        for &metric in Metric::ALL {
            // A radius that some vectors meet exactly: the comparison is strict.
            let radius = metric.distance(&query, raw.rows(codes.as_bytes()).row(400));
            let [fused, provided] = [&raw as &dyn Quantizer, &Unfused(raw)]
                .map(|quantizer| quantizer.scan_range(metric, &query, &run(&codes, 3), &IdSelector::All, radius));
            assert_eq!(fused, provided, "{metric}");
            assert!(fused.iter().all(|n| n.distance < radius && n.id != 403));
        }
    }

    #[test]
    fn slots_are_scored_as_in_the_block() {
        let raw = Raw::new(DIM);
        let (base, query) = (vectors(10), vectors(1));
        let codes = encoded(raw, &base);
        let scorer = raw.scorer(Metric::L1, &query);
        let (mut block, mut picked) = ([0.0; 10], [0.0; 3]);
        scorer.score_block(codes.as_bytes(), &mut block);
        scorer.score_at(codes.as_bytes(), &[9, 0, 4], &mut picked);
        assert_eq!(picked, [block[9], block[0], block[4]]);
    }

    #[test]
    fn residuals_are_compared_as_the_vectors_they_came_from() {
        let raw = Raw::new(DIM);
        let (base, query, origin) = (vectors(10), vectors(1), vectors(3)[2 * DIM..].to_vec());
        let residuals: Vec<f32> = base.iter().zip(origin.iter().cycle()).map(|(x, o)| x - o).collect();
        for metric in [Metric::L2, Metric::InnerProduct] {
            let [plain, rebased] = [(&base, None), (&residuals, Some(&origin))].map(|(vectors, origin)| {
                let mut scorer = raw.scorer(metric, &query);
                origin.into_iter().for_each(|origin| scorer.rebase(origin));
                let mut distances = [0.0; 10];
                scorer.score_block(encoded(raw, vectors).as_bytes(), &mut distances);
                distances
            });
            // Small integers: all arithmetic is exact.
            assert_eq!(plain, rebased, "{metric}");
        }
    }

    /// A mapped file has codes wherever Faiss wrote them.
    #[test]
    fn codes_that_lie_askew_are_compared_the_same() {
        let raw = Raw::new(DIM);
        let (base, queries) = (vectors(700), vectors(5));
        let codes = encoded(raw, &base);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("codes");
        std::fs::write(&path, [b"?", codes.as_bytes()].concat()).unwrap();
        let mapping = Mapping::open(&path).unwrap();
        let bytes = AlignedBytes::of(&mapping.as_slice()[1..], Some(&mapping)).unwrap();
        let askew = Codes::from_bytes(codes.layout(), codes.code_len(), codes.len(), bytes).unwrap();
        assert!(askew.are_mapped());

        let ids: Vec<u64> = (0..700).map(|i| (i * 7_919) % 1_009).collect();
        let answers = |codes: &Codes| {
            let mut tops: Vec<_> = (0..5).map(|_| TopK::new(9)).collect();
            let rows = Rows::new(&queries, DIM).unwrap();
            raw.scan_list(Metric::L2, rows, codes, &ids, &IdSelector::All, &mut tops);
            let listed: Vec<_> = tops.into_iter().map(TopK::into_sorted).collect();
            let run = run(codes, 3);
            let within = raw.scan_range(Metric::L2, &queries[..DIM], &run, &IdSelector::Range(9..600), 90.0);
            let (mut scores, mut decoded) = (vec![0.0; 700], Vec::new());
            raw.scorer(Metric::L1, &queries[..DIM])
                .score_block(codes.as_bytes(), &mut scores);
            raw.decode(codes.as_bytes(), &mut decoded);
            let runs = top(&raw, Metric::Cosine, &queries, codes);
            (listed, within, scores, decoded, runs)
        };
        assert_eq!(answers(&askew), answers(&codes));
    }
}
