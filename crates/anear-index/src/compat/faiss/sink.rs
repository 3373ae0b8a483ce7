//! A Faiss file as it is written.

/// The bytes so far.
#[derive(Default)]
pub(super) struct Sink {
    bytes: Vec<u8>,
    leaves_lists: bool,
}

impl Sink {
    /// One for lists that stay where they are, if they are in a file of their own.
    pub(super) fn beside_lists() -> Self {
        Self {
            leaves_lists: true,
            ..Self::default()
        }
    }

    /// Whether lists in a file of their own stay there.
    pub(super) fn leaves_lists(&self) -> bool {
        self.leaves_lists
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes as they are.
    pub(super) fn put(&mut self, bytes: impl AsRef<[u8]>) {
        self.bytes.extend_from_slice(bytes.as_ref());
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.bytes.push(value.into());
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
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
