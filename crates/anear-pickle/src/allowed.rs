//! The allow-list: every name that a pickle may contain, and what it stands for.
//!
//! Names match exactly: never by prefix (`langchain_community.vectorstores.faiss` exports `os`), never
//! dotted (`langchain_core.documents.base` + `mimetypes.os.system` reaches everything). Adding a line
//! here gives a pickle one more word of data, never the power to run anything.

use crate::graph::Class;
use crate::path::Flavor;
use crate::{Error, Result};

/// What a name of the allow-list stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A class whose objects are made empty and get a state.
    Class(Class),
    /// `copyreg._reconstructor` and the `object` it is given: how protocols 0 and 1 make such objects.
    Reconstructor,
    Object,
    /// `_codecs.encode`: how protocols 0 to 2 write bytes.
    Encode,
    Bytes,
    ByteArray,
    Complex,
    Set,
    FrozenSet,
    /// A builtin that may only be the factory of a `defaultdict`.
    Factory,
    OrderedDict,
    DefaultDict,
    Date,
    Time,
    DateTime,
    Delta,
    Zone,
    Decimal,
    SafeUuid,
    Path(Flavor),
    PurePath(Flavor),
    NumpyDtype,
    NumpyScalar,
    NumpyArray,
    /// `_reconstruct`: an empty array that gets a state.
    NumpyReconstruct,
    /// `_frombuffer`: an array from bytes, in protocol 5.
    NumpyFromBuffer,
}

/// Module, name, meaning. Faiss classes have lists of their own, below.
const SYMBOLS: &[(&str, &str, Symbol)] = &[
    // LangChain's classes, under every module that released versions wrote.
    (
        "langchain.docstore.in_memory",
        "InMemoryDocstore",
        Symbol::Class(Class::Docstore),
    ),
    (
        "langchain_community.docstore.in_memory",
        "InMemoryDocstore",
        Symbol::Class(Class::Docstore),
    ),
    (
        "langchain.docstore.document",
        "Document",
        Symbol::Class(Class::Document),
    ),
    ("langchain.schema", "Document", Symbol::Class(Class::Document)),
    ("langchain.schema.document", "Document", Symbol::Class(Class::Document)),
    ("langchain_core.documents", "Document", Symbol::Class(Class::Document)),
    (
        "langchain_core.documents.base",
        "Document",
        Symbol::Class(Class::Document),
    ),
    // Builtins; protocols 0 to 2 spell modules and names as in Python 2.
    ("_codecs", "encode", Symbol::Encode),
    ("copyreg", "_reconstructor", Symbol::Reconstructor),
    ("copy_reg", "_reconstructor", Symbol::Reconstructor),
    ("builtins", "object", Symbol::Object),
    ("__builtin__", "object", Symbol::Object),
    ("builtins", "bytes", Symbol::Bytes),
    ("__builtin__", "bytes", Symbol::Bytes),
    ("builtins", "bytearray", Symbol::ByteArray),
    ("__builtin__", "bytearray", Symbol::ByteArray),
    ("builtins", "complex", Symbol::Complex),
    ("__builtin__", "complex", Symbol::Complex),
    ("builtins", "set", Symbol::Set),
    ("__builtin__", "set", Symbol::Set),
    ("builtins", "frozenset", Symbol::FrozenSet),
    ("__builtin__", "frozenset", Symbol::FrozenSet),
    ("builtins", "list", Symbol::Factory),
    ("__builtin__", "list", Symbol::Factory),
    ("builtins", "dict", Symbol::Factory),
    ("__builtin__", "dict", Symbol::Factory),
    ("builtins", "int", Symbol::Factory),
    ("__builtin__", "long", Symbol::Factory),
    ("builtins", "float", Symbol::Factory),
    ("__builtin__", "float", Symbol::Factory),
    ("builtins", "str", Symbol::Factory),
    ("__builtin__", "unicode", Symbol::Factory),
    // The standard library's data types.
    ("collections", "OrderedDict", Symbol::OrderedDict),
    ("collections", "defaultdict", Symbol::DefaultDict),
    ("datetime", "date", Symbol::Date),
    ("datetime", "time", Symbol::Time),
    ("datetime", "datetime", Symbol::DateTime),
    ("datetime", "timedelta", Symbol::Delta),
    ("datetime", "timezone", Symbol::Zone),
    ("decimal", "Decimal", Symbol::Decimal),
    ("uuid", "UUID", Symbol::Class(Class::Uuid)),
    ("uuid", "SafeUUID", Symbol::SafeUuid),
    // `pathlib`, and where Python 3.13 keeps it.
    ("pathlib", "Path", Symbol::Path(Flavor::Posix)),
    ("pathlib", "PosixPath", Symbol::Path(Flavor::Posix)),
    ("pathlib", "PurePath", Symbol::PurePath(Flavor::Posix)),
    ("pathlib", "PurePosixPath", Symbol::PurePath(Flavor::Posix)),
    ("pathlib", "WindowsPath", Symbol::Path(Flavor::Windows)),
    ("pathlib", "PureWindowsPath", Symbol::PurePath(Flavor::Windows)),
    ("pathlib._local", "Path", Symbol::Path(Flavor::Posix)),
    ("pathlib._local", "PosixPath", Symbol::Path(Flavor::Posix)),
    ("pathlib._local", "PurePath", Symbol::PurePath(Flavor::Posix)),
    ("pathlib._local", "PurePosixPath", Symbol::PurePath(Flavor::Posix)),
    ("pathlib._local", "WindowsPath", Symbol::Path(Flavor::Windows)),
    ("pathlib._local", "PureWindowsPath", Symbol::PurePath(Flavor::Windows)),
    // Numpy 1 and 2.
    ("numpy", "dtype", Symbol::NumpyDtype),
    ("numpy", "ndarray", Symbol::NumpyArray),
    ("numpy.core.multiarray", "scalar", Symbol::NumpyScalar),
    ("numpy._core.multiarray", "scalar", Symbol::NumpyScalar),
    ("numpy.core.multiarray", "_reconstruct", Symbol::NumpyReconstruct),
    ("numpy._core.multiarray", "_reconstruct", Symbol::NumpyReconstruct),
    ("numpy.core.numeric", "_frombuffer", Symbol::NumpyFromBuffer),
    ("numpy._core.numeric", "_frombuffer", Symbol::NumpyFromBuffer),
];

/// The package, and the extension module of each instruction set that its builds name.
const FAISS_MODULES: &[&str] = &[
    "faiss",
    "faiss.swigfaiss",
    "faiss.swigfaiss_avx2",
    "faiss.swigfaiss_avx512",
    "faiss.swigfaiss_avx512_spr",
    "faiss.swigfaiss_sve",
];

/// The classes of float indexes in Faiss 1.15.
const FAISS_CLASSES: &[&str] = &[
    "Index2Layer",
    "IndexAdditiveQuantizer",
    "IndexAdditiveQuantizerFastScan",
    "IndexEDEN",
    "IndexFastScan",
    "IndexFlat",
    "IndexFlat1D",
    "IndexFlatCodes",
    "IndexFlatIP",
    "IndexFlatIPPanorama",
    "IndexFlatL2",
    "IndexFlatL2Panorama",
    "IndexFlatPanorama",
    "IndexHNSW",
    "IndexHNSW2Level",
    "IndexHNSWCagra",
    "IndexHNSWFlat",
    "IndexHNSWFlatPanorama",
    "IndexHNSWPQ",
    "IndexHNSWRaBitQ",
    "IndexHNSWSQ",
    "IndexIDMap",
    "IndexIDMap2",
    "IndexIVF",
    "IndexIVFAdditiveQuantizer",
    "IndexIVFAdditiveQuantizerFastScan",
    "IndexIVFEDEN",
    "IndexIVFFastScan",
    "IndexIVFFlat",
    "IndexIVFFlatDedup",
    "IndexIVFFlatPanorama",
    "IndexIVFIndependentQuantizer",
    "IndexIVFLocalSearchQuantizer",
    "IndexIVFLocalSearchQuantizerFastScan",
    "IndexIVFPQ",
    "IndexIVFPQFastScan",
    "IndexIVFPQR",
    "IndexIVFProductLocalSearchQuantizer",
    "IndexIVFProductLocalSearchQuantizerFastScan",
    "IndexIVFProductResidualQuantizer",
    "IndexIVFProductResidualQuantizerFastScan",
    "IndexIVFRaBitQ",
    "IndexIVFRaBitQFastScan",
    "IndexIVFResidualQuantizer",
    "IndexIVFResidualQuantizerFastScan",
    "IndexIVFScalarQuantizer",
    "IndexIVFSpectralHash",
    "IndexLSH",
    "IndexLattice",
    "IndexLocalSearchQuantizer",
    "IndexLocalSearchQuantizerFastScan",
    "IndexNNDescent",
    "IndexNNDescentFlat",
    "IndexNSG",
    "IndexNSGFlat",
    "IndexNSGPQ",
    "IndexNSGSQ",
    "IndexNeuralNetCodec",
    "IndexPQ",
    "IndexPQFastScan",
    "IndexPreTransform",
    "IndexProductLocalSearchQuantizer",
    "IndexProductLocalSearchQuantizerFastScan",
    "IndexProductResidualQuantizer",
    "IndexProductResidualQuantizerFastScan",
    "IndexProxy",
    "IndexQINCo",
    "IndexRaBitQ",
    "IndexRaBitQFastScan",
    "IndexRandom",
    "IndexRefine",
    "IndexRefineFlat",
    "IndexRefinePanorama",
    "IndexReplicas",
    "IndexResidual",
    "IndexResidualQuantizer",
    "IndexResidualQuantizerFastScan",
    "IndexRowwiseMinMax",
    "IndexRowwiseMinMaxBase",
    "IndexRowwiseMinMaxFP16",
    "IndexScalarQuantizer",
    "IndexShards",
    "IndexShardsIVF",
    "IndexSplitVectors",
];

/// The meaning of a name in a pickle.
pub(crate) fn symbol(module: &str, name: &str) -> Result<Symbol> {
    let known = SYMBOLS
        .iter()
        .find(|(in_module, symbol, _)| *in_module == module && *symbol == name);
    let faiss = || FaissClass::named(name).filter(|_| FAISS_MODULES.contains(&module));
    known
        .map(|(_, _, symbol)| *symbol)
        .or_else(|| faiss().map(|class| Symbol::Class(Class::Faiss(class))))
        .ok_or_else(|| Error::Forbidden {
            module: excerpt(module),
            name: excerpt(name),
        })
}

/// At most the first kilobyte: a hostile name may be as long as the file.
fn excerpt(text: &str) -> String {
    text.chars().take(1024).collect()
}

/// The name of one of Faiss's float index classes, such as `IndexFlatL2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaissClass(&'static str);

impl FaissClass {
    /// `IndexFlat`: exact search, any metric.
    pub const FLAT: Self = Self("IndexFlat");
    /// `IndexFlatL2`: exact search by squared Euclidean distance.
    pub const FLAT_L2: Self = Self("IndexFlatL2");
    /// `IndexFlatIP`: exact search by inner product.
    pub const FLAT_IP: Self = Self("IndexFlatIP");

    /// The class of this name, if Faiss has it.
    ///
    /// ```
    /// use anear_pickle::FaissClass;
    /// assert_eq!(FaissClass::named("IndexFlatL2"), Some(FaissClass::FLAT_L2));
    /// assert!(FaissClass::named("os").is_none());
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        FAISS_CLASSES
            .iter()
            .find(|class| **class == name)
            .map(|class| Self(class))
    }

    /// The name, as in Python.
    pub fn name(&self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_dotted_or_listed_twice() {
        for (i, (module, name, _)) in SYMBOLS.iter().enumerate() {
            assert!(!name.contains('.'), "{name}");
            assert!(
                SYMBOLS[..i].iter().all(|(m, n, _)| (m, n) != (module, name)),
                "{module}.{name}"
            );
        }
        assert!(FAISS_CLASSES.is_sorted() && FAISS_CLASSES.iter().all(|name| !name.contains('.')));
    }

    #[test]
    fn the_flat_classes_are_on_the_list() {
        for class in [FaissClass::FLAT, FaissClass::FLAT_L2, FaissClass::FLAT_IP] {
            assert_eq!(FaissClass::named(class.name()), Some(class));
        }
    }
}
