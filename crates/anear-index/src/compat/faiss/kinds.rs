//! The names of Faiss's kinds of index, for those who bring a file that is not read yet.

use crate::Error;

const READABLE: &str = "IxF2, IxFI, IxFl, IxSQ, IxHe, IxPq, IPfs, IxRq, IwRQ, Ixrq, Ixrr, IwFl, IwSq, IwPQ, IwPf, Iwrq, Iwrr, Irfn, Iwrn, IHNf, IHNs, IHNp, INSf, INSs, INSp, IxMp, IxM2, IxPT and IxRF";

/// Codes of objects that Faiss writes or has written and their classes.
const UNREADABLE: &[(&[u8; 4], &str)] = &[
    (b"IxRP", "IndexRefinePanorama"),
    (b"IxPQ", "IndexPQ"),
    (b"IxPo", "IndexPQ"),
    (b"IxHE", "IndexLSH"),
    (b"IxLS", "IndexLocalSearchQuantizer"),
    (b"IxPR", "IndexProductResidualQuantizer"),
    (b"IxPL", "IndexProductLocalSearchQuantizer"),
    (b"IwFd", "IndexIVFFlatDedup"),
    (b"IwQR", "IndexIVFPQR"),
    (b"Irfs", "IndexRaBitQFastScan, old layout"),
    (b"Iwrf", "IndexIVFRaBitQFastScan, old layout"),
    (b"IHN2", "IndexHNSW2Level"),
    (b"IHNc", "IndexHNSWCagra"),
    (b"IHc2", "IndexHNSWCagra"),
    (b"IHfP", "IndexHNSWFlatPanorama"),
    (b"INNf", "IndexNNDescentFlat"),
    (b"Imiq", "MultiIndexQuantizer"),
    (b"ImRQ", "ResidualCoarseQuantizer"),
    (b"Ix2L", "Index2Layer"),
    (b"IwLS", "IndexIVFLocalSearchQuantizer"),
    (b"IwPR", "IndexIVFProductResidualQuantizer"),
    (b"IwPL", "IndexIVFProductLocalSearchQuantizer"),
    (b"IRfs", "IndexResidualQuantizerFastScan"),
    (b"ILfs", "IndexLocalSearchQuantizerFastScan"),
    (b"IPRf", "IndexProductResidualQuantizerFastScan"),
    (b"IPLf", "IndexProductLocalSearchQuantizerFastScan"),
    (b"IVRf", "IndexIVFResidualQuantizerFastScan"),
    (b"IVLf", "IndexIVFLocalSearchQuantizerFastScan"),
    (b"NPRf", "IndexIVFProductResidualQuantizerFastScan"),
    (b"NPLf", "IndexIVFProductLocalSearchQuantizerFastScan"),
    (b"IwSh", "IndexIVFSpectralHash"),
    (b"IwIQ", "IndexIVFIndependentQuantizer"),
    (b"IxFP", "IndexFlatL2Panorama"),
    (b"IxFp", "IndexFlatIPPanorama"),
    (b"IwPn", "IndexIVFFlatPanorama"),
    (b"IwP2", "IndexIVFFlatPanorama"),
    (b"IxEe", "IndexEDEN"),
    (b"IwEe", "IndexIVFEDEN"),
    (b"IxLa", "IndexLattice"),
    (b"IRMf", "IndexRowwiseMinMax"),
    (b"IRMh", "IndexRowwiseMinMaxFP16"),
    (b"IvFl", "IndexIVFFlat, old layout"),
    (b"IvFL", "IndexIVFFlat, old layout"),
    (b"IvSQ", "IndexIVFScalarQuantizer, old layout"),
    (b"IvPQ", "IndexIVFPQ, old layout"),
    (b"IvQR", "IndexIVFPQR, old layout"),
    (b"ILVQ", "IndexSVSVamanaLVQ"),
    (b"ISVL", "IndexSVSVamanaLeanVec"),
    (b"ISVD", "IndexSVSVamana"),
    (b"ISVF", "IndexSVSFlat"),
    (b"IBxF", "IndexBinaryFlat"),
    (b"IBwF", "IndexBinaryIVF"),
    (b"IBFf", "IndexBinaryFromFloat"),
    (b"IBHf", "IndexBinaryHNSW"),
    (b"IBHh", "IndexBinaryHash"),
    (b"IBHm", "IndexBinaryMultiHash"),
    (b"IBMp", "IndexBinaryIDMap"),
    (b"IBM2", "IndexBinaryIDMap2"),
    (b"null", "no index at all"),
];

/// Why an object with this code is not read.
pub(super) fn unreadable(code: [u8; 4]) -> Error {
    let fourcc = code.escape_ascii().to_string();
    match UNREADABLE.iter().find(|(known, _)| **known == code) {
        Some((_, name)) => Error::FaissKind {
            fourcc,
            name,
            readable: READABLE,
        },
        None => Error::Faiss(format!(
            "it begins with `{fourcc}`, which is none of Faiss's kinds of index"
        )),
    }
}
