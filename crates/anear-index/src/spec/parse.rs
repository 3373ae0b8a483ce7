//! From a factory string to the blueprint, by the grammar of Faiss's `index_factory`.
//!
//! ```text
//! index  := index ",IDMap2" | "IDMap2," index | index ",IDMap" | "IDMap," index
//!         | index ",RFlat" | index ",Refine(" index ")"
//!         | transform "," index
//!         | coarse "," codes | codes
//!         | graph | graph ("," | "_") codes
//!         | "Near" number? | "auto" number? | "NearLists" | "NearGraph" | "NearLean"
//! coarse := "IVF" number | "IVF" number "_" graph | "IVF" number "(" index ")"
//! graph  := "HNSW" number? | "NSG" number?
//! ```

use std::borrow::Cow;
use std::str::FromStr;

use anear_quant::QuantizerSpec;
use anear_quant::transform::TransformSpec;

use super::{HnswSpec, IdMapKind, IndexSpec, IvfSpec, NsgSpec};
use crate::error::excerpt;
use crate::{Error, NearShape, Result};

/// A part between commas, and where it begins, in characters.
#[derive(Clone, Copy)]
struct Part<'a> {
    at: usize,
    text: &'a str,
}

/// What begins a graph.
struct Graph<'a> {
    kind: GraphKind,
    links: usize,
    codes: Option<Part<'a>>,
}

#[derive(Clone, Copy)]
enum GraphKind {
    Hnsw,
    Nsg,
}

impl GraphKind {
    fn token(self) -> &'static str {
        match self {
            Self::Hnsw => "HNSW",
            Self::Nsg => "NSG",
        }
    }

    fn spec(self, links: usize, codes: QuantizerSpec) -> IndexSpec {
        match self {
            Self::Hnsw => IndexSpec::Hnsw(HnswSpec { m: links, codes }),
            Self::Nsg => IndexSpec::Nsg(NsgSpec { r: links, codes }),
        }
    }
}

/// What is wrong, and where.
struct Fault {
    at: usize,
    reason: String,
}

/// Indexes may stand within each other this deep, as in Faiss's files.
const DEPTH_MAX: usize = 50;

impl FromStr for IndexSpec {
    type Err = Error;

    /// Reads a factory string; an id map may stand before or, as Faiss allows, behind the rest.
    fn from_str(text: &str) -> Result<Self> {
        let whole = Part { at: 0, text };
        index(whole, 0).map_err(|Fault { at, reason }| Error::Spec {
            text: text.into(),
            at,
            reason,
        })
    }
}

/// Reads what stands at the top or between parentheses.
fn index(whole: Part<'_>, depth: usize) -> Result<IndexSpec, Fault> {
    parts(&whole.split()?, depth)
}

/// Reads the parts between commas: wrappers first, from the outside in.
fn parts(all: &[Part<'_>], depth: usize) -> Result<IndexSpec, Fault> {
    let [first, rest @ ..] = all else {
        unreachable!("splitting gives at least one part");
    };
    if depth > DEPTH_MAX {
        return Err(first.fault(format!("more than {DEPTH_MAX} indexes within each other")));
    }
    if let [inner @ .., last] = all
        && !inner.is_empty()
    {
        if let Some(kind) = IdMapKind::from_token(last.text) {
            return Ok(IndexSpec::IdMap(kind, Box::new(parts(inner, depth + 1)?)));
        }
        if let Some(refine) = last.refine(depth) {
            return Ok(IndexSpec::Refine(Box::new(parts(inner, depth + 1)?), Box::new(refine?)));
        }
    }
    if let Some(kind) = IdMapKind::from_token(first.text) {
        if rest.is_empty() {
            return Err(first.fault(format!("`{0}` needs an index within (as `{0},Flat`)", first.excerpt())));
        }
        return Ok(IndexSpec::IdMap(kind, Box::new(parts(rest, depth + 1)?)));
    }
    if let Some(shape) = NearShape::named(first.text) {
        let shape = shape.map_err(|reason| first.fault(format!("`{}`: {reason}", first.excerpt())))?;
        no_more(rest)?;
        return Ok(IndexSpec::Near(shape));
    }
    if let Some(graph) = first.graph() {
        let Graph { kind, links, codes } = graph?;
        let (codes, rest) = match (codes, rest) {
            (Some(codes), rest) => (codes.codes()?, rest),
            (None, [codes, rest @ ..]) => (codes.codes()?, rest),
            (None, []) => (QuantizerSpec::Raw, rest),
        };
        no_more(rest)?;
        return Ok(kind.spec(links, codes));
    }
    if let Some(transform) = TransformSpec::parse(first.text) {
        if rest.is_empty() {
            return Err(first.fault(format!(
                "`{0}` needs an index behind it (as `{0},Flat`)",
                first.excerpt()
            )));
        }
        return Ok(match parts(rest, depth + 1)? {
            IndexSpec::PreTransform(mut chain, inner) => {
                chain.insert(0, transform);
                IndexSpec::PreTransform(chain, inner)
            }
            inner => IndexSpec::PreTransform(vec![transform], Box::new(inner)),
        });
    }
    match (rest, first.coarse(depth)) {
        ([codes, rest @ ..], Some(coarse)) => {
            no_more(rest)?;
            let (nlist, coarse) = coarse?;
            let (codes, by_residual) = codes.list_codes()?;
            Ok(IndexSpec::Ivf(IvfSpec {
                nlist,
                coarse: Box::new(coarse),
                codes,
                by_residual,
            }))
        }
        ([], Some(_)) => Err(first.fault(format!("`{0}` needs codes behind it (as `{0},Flat`)", first.excerpt()))),
        (rest, None) => {
            let codes = first.codes()?;
            no_more(rest)?;
            Ok(IndexSpec::Flat(codes))
        }
    }
}

fn no_more(rest: &[Part<'_>]) -> Result<(), Fault> {
    match rest {
        [] => Ok(()),
        [part, ..] => Err(part.fault(format!("`{}` is one part too many", part.excerpt()))),
    }
}

impl<'a> Part<'a> {
    fn fault(self, reason: String) -> Fault {
        Fault { at: self.at, reason }
    }

    /// As much of it as a message repeats.
    fn excerpt(self) -> Cow<'a, str> {
        excerpt(self.text)
    }

    /// The part from byte `start` on.
    fn from(self, start: usize) -> Self {
        Self {
            at: self.at + self.text[..start].chars().count(),
            text: &self.text[start..],
        }
    }

    /// The parts between commas that are not within parentheses.
    fn split(self) -> Result<Vec<Self>, Fault> {
        let mut parts = Vec::new();
        let (mut start, mut depth) = (0, 0_usize);
        for (at, c) in self.text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => {
                    let unopened = || self.from(at).fault("`)` without `(`".into());
                    depth = depth.checked_sub(1).ok_or_else(unopened)?;
                }
                ',' if depth == 0 => {
                    parts.push(self.between(start, at));
                    start = at + 1;
                }
                _ => {}
            }
        }
        if depth > 0 {
            return Err(self.from(self.text.len()).fault("`)` is missing".into()));
        }
        parts.push(self.from(start));
        Ok(parts)
    }

    fn between(self, start: usize, end: usize) -> Self {
        let part = self.from(start);
        Self {
            text: &part.text[..end - start],
            ..part
        }
    }

    /// What stands in the parentheses behind `name`, if this part is `name(...)`.
    fn within(self, name: &str) -> Option<Self> {
        let inner = self.text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')?;
        let start = name.len() + 1;
        Some(self.between(start, start + inner.len()))
    }

    fn refine(self, depth: usize) -> Option<Result<IndexSpec, Fault>> {
        match self.text {
            "RFlat" => Some(Ok(IndexSpec::Flat(QuantizerSpec::Raw))),
            _ => self.within("Refine").map(|inner| index(inner, depth + 1)),
        }
    }

    /// The number of lists and the index over their centroids, if this part begins an inverted file.
    fn coarse(self, depth: usize) -> Option<Result<(usize, IndexSpec), Fault>> {
        let digits = self.text.strip_prefix("IVF")?;
        let len = digits.bytes().take_while(u8::is_ascii_digit).count();
        let scale_len = usize::from(digits[len..].starts_with(['k', 'M']));
        let (number, rest) = digits.split_at(len + scale_len);
        Some(self.nlist(number).and_then(|nlist| {
            let rest_at = self.from("IVF".len() + number.len());
            let coarse = match rest {
                "" => IndexSpec::Flat(QuantizerSpec::Raw),
                _ => rest_at.coarse_index(depth)?,
            };
            Ok((nlist, coarse))
        }))
    }

    /// What stands behind the number of lists.
    fn coarse_index(self, depth: usize) -> Result<IndexSpec, Fault> {
        if let Some(inner) = self.within("") {
            return index(inner, depth + 1);
        }
        let graph = self.text.strip_prefix('_').and_then(|_| self.from(1).graph());
        match graph {
            Some(Err(fault)) => Err(fault),
            Some(Ok(Graph {
                kind,
                links,
                codes: None,
            })) => Ok(kind.spec(links, QuantizerSpec::Raw)),
            _ => Err(self.fault(format!("`{}` is no coarse quantizer", self.excerpt()))),
        }
    }

    /// The number of links, and the codes behind `_` if there are any, if this part begins a graph.
    fn graph(self) -> Option<Result<Graph<'a>, Fault>> {
        let begins = |kind: &GraphKind| self.text.starts_with(kind.token());
        let kind = [GraphKind::Hnsw, GraphKind::Nsg].into_iter().find(begins)?;
        let token = kind.token().len();
        let rest = &self.text[token..];
        let (number, codes) = rest.split_once('_').map_or((rest, None), |(number, _)| {
            (number, Some(self.from(token + 1 + number.len())))
        });
        let links = if number.is_empty() {
            Some(32)
        } else {
            number.parse().ok()
        };
        let max = match kind {
            GraphKind::Hnsw => HnswSpec::M_MAX,
            GraphKind::Nsg => NsgSpec::R_MAX,
        };
        let links = links.filter(|links| (2..=max).contains(links));
        let wrong = || {
            let at = self.from(token);
            at.fault(format!("a graph has 2 to {max} links per vector"))
        };
        Some(links.ok_or_else(wrong).map(|links| Graph { kind, links, codes }))
    }

    fn nlist(self, number: &str) -> Result<usize, Fault> {
        let at = self.from("IVF".len());
        let (digits, scale) = match number.strip_suffix(['k', 'M']) {
            Some(digits) => (digits, if number.ends_with('k') { 1 << 10 } else { 1 << 20 }),
            None => (number, 1),
        };
        let nlist = digits.parse::<usize>().ok().and_then(|n| n.checked_mul(scale));
        let nlist = nlist.filter(|n| (1..=IvfSpec::NLIST_MAX).contains(n));
        nlist.ok_or_else(|| at.fault(format!("an inverted file has 1 to {} lists", IvfSpec::NLIST_MAX)))
    }

    fn codes(self) -> Result<QuantizerSpec, Fault> {
        let codes = QuantizerSpec::parse(self.text).ok_or_else(|| match self.text {
            "" => self.fault(format!("a part is missing (known: {})", known())),
            _ => self.fault(format!("unknown index `{}` (known: {})", self.excerpt(), known())),
        })?;
        self.checked(codes)
    }

    /// Codes that can be, whatever the dimension.
    fn checked(self, codes: QuantizerSpec) -> Result<QuantizerSpec, Fault> {
        match codes.check() {
            Ok(()) => Ok(codes),
            Err(error) => Err(self.fault(format!("`{}`: {error}", self.excerpt()))),
        }
    }

    /// Codes in lists: an `r` behind them asks for residuals, an `nr` for none, where that is not the default.
    fn list_codes(self) -> Result<(QuantizerSpec, bool), Fault> {
        // Of codes in blocks, the `r` stands before the length of the blocks.
        if let Some((m, block)) = self.text.split_once("x4fsr")
            && let Some(codes) = QuantizerSpec::parse(&format!("{m}x4fs{block}"))
        {
            return Ok((codes, true));
        }
        for (suffix, by_residual) in [("nr", false), ("r", true)] {
            if let Some(codes) = self.text.strip_suffix(suffix).and_then(QuantizerSpec::parse)
                && IvfSpec::default_by_residual(&codes) != by_residual
                && !matches!(codes, QuantizerSpec::FastScan { .. })
            {
                return Ok((self.checked(codes)?, by_residual));
            }
        }
        let codes = self.codes()?;
        let by_residual = IvfSpec::default_by_residual(&codes);
        Ok((codes, by_residual))
    }
}

/// Every kind of token there is, for messages: an example of each.
fn known() -> String {
    let wrappers = [
        "IVF1024",
        "IVF1024_HNSW32",
        "HNSW32",
        "NSG32",
        "auto",
        "Near",
        "NearLists",
        "NearGraph",
        "NearLean",
        "Near2000",
        "IDMap",
        "IDMap2",
        "RFlat",
        "Refine(SQ8)",
    ];
    [QuantizerSpec::EXAMPLES, &wrappers, TransformSpec::EXAMPLES]
        .concat()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        text.parse::<IndexSpec>().unwrap_err().to_string()
    }

    fn printed(text: &str) -> String {
        text.parse::<IndexSpec>().unwrap().to_string()
    }

    #[test]
    fn examples_print_as_they_were_read() {
        for text in IndexSpec::EXAMPLES {
            assert_eq!(printed(text), *text);
        }
    }

    #[test]
    fn an_unknown_index_is_answered_with_every_kind_there_is() {
        let said = fault("Flop");
        let is_told = |token: &str| said.split([' ', ',', ')']).any(|word| word.starts_with(token));
        let tokens = [QuantizerSpec::EXAMPLES, TransformSpec::EXAMPLES].concat();
        assert!(tokens.iter().all(|token| is_told(token)), "{said}");
        for part in IndexSpec::EXAMPLES.iter().flat_map(|text| text.split([',', '('])) {
            let name = part.trim_end_matches(')');
            let name = &name[..name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len())];
            assert!(is_told(name), "{name}: {said}");
        }
        let tokens = said.split_once("(known: ").unwrap().1.rsplit_once(')').unwrap().0;
        for token in tokens.split(", ") {
            let is_read = |text: String| text.parse::<IndexSpec>().is_ok();
            assert!(
                is_read(token.into()) || is_read(format!("{token},Flat")) || is_read(format!("Flat,{token}")),
                "{token}"
            );
        }
    }

    #[test]
    fn other_spellings_print_as_the_usual_one() {
        for (text, usual) in [
            ("auto", "Near"),
            ("auto2000", "Near2000"),
            ("Flat,IDMap2", "IDMap2,Flat"),
            ("IVF4k,Flat", "IVF4096,Flat"),
            ("IVF1M,Flat", "IVF1048576,Flat"),
            ("IVF16(Flat),Flat", "IVF16,Flat"),
            ("HNSW", "HNSW32,Flat"),
            ("HNSW16", "HNSW16,Flat"),
            ("HNSW_SQ8", "HNSW32,SQ8"),
            ("HNSW12_Flat,IDMap", "IDMap,HNSW12,Flat"),
            ("IVF16_HNSW,Flat", "IVF16_HNSW32,Flat"),
            ("NSG", "NSG32,Flat"),
            ("NSG16_SQ8", "NSG16,SQ8"),
            ("IVF16(NSG8),Flat", "IVF16_NSG8,Flat"),
            ("IVF16(HNSW8,Flat),Flat", "IVF16_HNSW8,Flat"),
            ("IVF16(HNSW8,SQ8),Flat", "IVF16(HNSW8,SQ8),Flat"),
            ("IVF16,LSH16rnr", "IVF16,LSH16rnr"),
            ("IVF16,PQ4x4fsr", "IVF16,PQ4x4fsr"),
            ("IVF16,PQ4x4fsr_32", "IVF16,PQ4x4fsr"),
            ("IVF16,PQ4x4fsr_64", "IVF16,PQ4x4fsr_64"),
            ("IVF16,RaBitQfs2_96nr", "IVF16,RaBitQfs2_96nr"),
            ("IVF16,Flat,Refine(Flat)", "IVF16,Flat,RFlat"),
        ] {
            assert_eq!(printed(text), usual);
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        for (text, reason, at) in [
            ("IVF0,Flat", "an inverted file has 1 to", 3),
            ("IVF99999999999999999999k,Flat", "an inverted file has 1 to", 3),
            ("IVF16", "`IVF16` needs codes behind it (as `IVF16,Flat`)", 0),
            ("auto0", "`auto0`: no index is called so; these are: Near or auto,", 0),
            ("IDMap,NearLeen", "`NearLeen`: no index is called so;", 6),
            ("IVF16(Flop),Flat", "unknown index `Flop`", 6),
            ("HNSW1,Flat", "a graph has 2 to 4096 links", 4),
            ("HNSW16x,Flat", "a graph has 2 to 4096 links", 4),
            ("HNSW16,Flop", "unknown index `Flop`", 7),
            ("HNSW16_Flop", "unknown index `Flop`", 7),
            ("HNSW16_Flat,Flat", "`Flat` is one part too many", 12),
            ("IVF16_HNSW8_Flat,Flat", "`_HNSW8_Flat` is no coarse quantizer", 5),
            ("IVF16_HNSW99999,Flat", "a graph has 2 to 4096 links", 10),
            ("IVF16,Flatnr", "unknown index `Flatnr`", 6),
            ("IVF16,SQ8r", "unknown index `SQ8r`", 6),
            ("IVF16,PQ4x4fs_64r", "unknown index `PQ4x4fs_64r`", 6),
            ("SQ8nr", "unknown index `SQ8nr`", 0),
            ("IDMap,PQ8x40", "`PQ8x40`: codes have 1 to 16 bits per part, not 40", 6),
            (
                "IVF16,PQ8x17nr",
                "`PQ8x17nr`: codes have 1 to 16 bits per part, not 17",
                6,
            ),
            ("PQ0", "unknown index `PQ0`", 0),
            (
                "HNSW8,RQ2x20",
                "`RQ2x20`: codes have 1 to 16 bits per codebook, not 20",
                6,
            ),
            ("IVF16x,Flat", "`x` is no coarse quantizer", 5),
            ("IVF16(Flat,Flat", "`)` is missing", 15),
            ("Flat)", "`)` without `(`", 4),
            ("IDMap,IDMap2,Flat,Flat", "`Flat` is one part too many", 18),
            ("IDMap,Flat,", "`` is one part too many", 11),
            ("IDMap,", "a part is missing", 6),
            ("IDMap", "`IDMap` needs an index within (as `IDMap,Flat`)", 0),
            ("Flat,Flat", "`Flat` is one part too many", 5),
            ("", "a part is missing", 0),
            ("flat", "unknown index `flat`", 0),
            ("IDMap,평면,Flat", "unknown index `평면`", 6),
        ] {
            let message = fault(text);
            assert!(message.contains(reason), "{message}");
            assert!(message.ends_with(&format!("at character {at}")), "{message}");
        }
        let nested = |before: &str, behind: &str| before.repeat(5000) + "Flat" + &behind.repeat(5000);
        for text in [
            nested("IVF2(", "),Flat"),
            nested("IDMap,", ""),
            nested("L2norm,", ""),
            nested("", ",RFlat"),
        ] {
            let message = fault(&text);
            assert!(message.contains("more than 50 indexes within each other"), "{message}");
            assert!(message.len() < 400, "{message}");
        }
        for text in [
            nested("IVF2(", ")"),
            nested("IVF2_", ""),
            nested("x", ""),
            nested("Flat,", "x"),
        ] {
            let message = fault(&text);
            assert!(message.len() < 1000, "{} characters", message.len());
        }
    }
}
