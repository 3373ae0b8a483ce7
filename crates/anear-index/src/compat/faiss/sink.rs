//! A Faiss file as it is written.

/// The bytes so far.
#[derive(Default)]
pub(super) struct Sink(Vec<u8>);

impl Sink {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Bytes as they are.
    pub(super) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.extend_from_slice(bytes.as_ref());
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.0.push(value.into());
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.put(value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.put(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: usize) {
        self.put((value as u64).to_le_bytes());
    }

    pub(super) fn f32(&mut self, value: f32) {
        self.put(value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.put(value.to_le_bytes());
    }

    /// Numbers of four bytes, and their number before them.
    pub(super) fn u32s(&mut self, numbers: &[u32]) {
        self.u64(numbers.len());
        self.put(bytemuck::cast_slice(numbers));
    }

    /// Bytes, and their number before them.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len());
        self.put(bytes);
    }

    /// Floats, and their number before them.
    pub(super) fn floats(&mut self, floats: &[f32]) {
        self.u64(floats.len());
        self.put(bytemuck::cast_slice(floats));
    }

    /// Ids, without their number.
    pub(super) fn ids(&mut self, ids: &[u64]) {
        ids.iter().for_each(|id| self.put(id.to_le_bytes()));
    }
}
