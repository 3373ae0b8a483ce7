//! Codes that are put into lists by hand, and objects that follow each other in a file.

use anear_index::binary::{BinaryIndex, BinaryIvf, BinarySpec, read_first_binary_index, write_binary_index};
use anear_index::compat::faiss::{read_first_index, read_index, write_index};
use anear_index::{IndexSpec, Ivf, SearchRequest, Training, VectorIndex, VectorIndexExt as _};
use anear_kernels::{Bits, Metric, Rows};

const DIM: usize = 8;

fn numbers(count: usize) -> Vec<f32> {
    let number = |i: usize| (i * 7919 % 1009) as f32 / 1009.0 + (i % 5) as f32;
    (0..count * DIM).map(number).collect()
}

fn trained(spec: &str, sample: Rows<'_>) -> Ivf {
    let spec: IndexSpec = spec.parse().unwrap();
    let index = spec.train(Metric::L2, sample, &Training::default()).unwrap();
    let any: Box<dyn std::any::Any> = index;
    *any.downcast().unwrap()
}

#[test]
fn lists_filled_by_hand_answer_as_those_they_were_taken_from() {
    let vectors = numbers(300);
    let vectors = Rows::new(&vectors, DIM).unwrap();
    for spec in ["IVF4,Flat", "IVF4,SQ8", "IVF4,PQ4x4", "IVF4,PQ4x4fsr", "IVF4,RaBitQ"] {
        let mut taken = trained(spec, vectors);
        let mut index = taken.clone();
        taken.add(vectors).unwrap();
        for number in 0..taken.nlist() {
            let (list, mut codes) = (taken.list(number), Vec::new());
            list.codes().copy_to(0..list.len(), &mut codes);
            index
                .add_codes(&vec![number as u32; list.len()], list.ids(), &codes)
                .unwrap();
        }
        let request = SearchRequest::new(5).with("nprobe", 4.0);
        assert_eq!(
            index.search(vectors, &request).unwrap(),
            taken.search(vectors, &request).unwrap(),
            "{spec}"
        );
        assert!(
            index
                .add_codes(&[0], &[7], &vec![0; index.quantizer().code_len()])
                .is_err(),
            "{spec}: id 7 is taken"
        );
        assert_eq!(index.len(), 300, "{spec}");
    }
}

#[test]
fn lists_of_bits_filled_by_hand_answer_as_those_they_were_taken_from() {
    let bytes: Vec<u8> = (0..200 * DIM).map(|i| (i * 7919 % 251) as u8).collect();
    let vectors = Bits::new(&bytes, DIM).unwrap();
    let mut taken = BinaryIvf::train(8 * DIM, 4, vectors, 1, None).unwrap();
    let mut index = BinaryIvf::new(taken.coarse().boxed_clone()).unwrap();
    taken.add(vectors).unwrap();
    for number in 0..taken.nlist() {
        let (ids, vectors) = taken.list(number);
        let vectors = Bits::new(vectors, DIM).unwrap();
        index
            .add_to_lists(&vec![number as u32; ids.len()], ids, vectors)
            .unwrap();
    }
    let request = SearchRequest::new(5).with("nprobe", 2.0);
    assert_eq!(
        index.search(vectors, &request).unwrap(),
        taken.search(vectors, &request).unwrap()
    );
    assert!(
        index
            .add_to_lists(&[0], &[7], Bits::new(&bytes[..DIM], DIM).unwrap())
            .is_err()
    );
}

#[test]
fn objects_of_one_file_are_read_one_after_the_other() {
    let vectors = numbers(50);
    let vectors = Rows::new(&vectors, DIM).unwrap();
    let mut flat = "Flat"
        .parse::<IndexSpec>()
        .unwrap()
        .train(Metric::L2, vectors, &Training::default())
        .unwrap();
    flat.add(vectors).unwrap();
    let mut bits = "BFlat".parse::<BinarySpec>().unwrap().build(8).unwrap();
    bits.add(Bits::new(&[1, 2, 3], 1).unwrap()).unwrap();

    let (one, other) = (write_index(&*flat).unwrap(), write_binary_index(&*bits).unwrap());
    let file = [&one[..], &other, &one].concat();
    assert!(read_index(&file).is_err(), "a file of one index ends with it");
    let (first, len) = read_first_index(&file).unwrap();
    assert_eq!((first.len(), len), (50, one.len()));
    let (second, more) = read_first_binary_index(&file[len..]).unwrap();
    assert_eq!((second.len(), more), (3, other.len()));
    let (third, rest) = read_first_index(&file[len + more..]).unwrap();
    assert_eq!((third.len(), len + more + rest), (50, file.len()));
}
