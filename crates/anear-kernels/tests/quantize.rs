//! Components as numbers, on every instruction set, against plain conversions.

mod common;

use common::{Random, every_isa};

#[test]
fn numbers_are_those_of_plain_conversions_on_every_instruction_set() {
    let mut random = Random(4);
    for dim in [1, 3, 16, 37, 100] {
        let mut floats = |scale: f32| -> Vec<f32> {
            let float = |_| (random.bits() as u16 as f32 / 65_536.0 - 0.25) * scale;
            (0..dim).map(float).collect()
        };
        let (components, lows) = (floats(2.0), floats(1.0));
        // Spans of 0 and below are among them.
        let spans: Vec<f32> = floats(1.0)
            .iter()
            .map(|span| if *span < -0.2 { 0.0 } else { *span })
            .collect();
        for levels in [15.0, 63.0, 255.0] {
            let number = |i: usize| {
                let share = if spans[i] == 0.0 {
                    0.0
                } else {
                    (components[i] - lows[i]) / spans[i]
                };
                (share.clamp(0.0, 1.0) * levels) as u8
            };
            let want: Vec<u8> = (0..dim).map(number).collect();
            for kernels in every_isa() {
                let mut numbers = vec![0; dim];
                kernels.quantize(&components, &lows, &spans, levels, &mut numbers);
                assert_eq!(numbers, want, "{kernels:?}, {dim} components, {levels} levels");
            }
        }
    }
}

/// In f64, where every step is exact: so many steps of the exponent's size, of which a normal number has 1024 more than
/// its fraction.
fn half(component: f32) -> u16 {
    let magnitude = f64::from(component.abs()).min(1e6);
    let exponent = (magnitude.log2().floor() as i32).max(-14);
    let steps = (magnitude / f64::from(exponent - 10).exp2()).round() as u32;
    let bits = ((exponent + 14) as u32) << 10;
    (bits + steps).min(0x7c00) as u16 | (component.to_bits() >> 16) as u16 & 0x8000
}

#[test]
fn halves_are_the_nearest_on_every_instruction_set() {
    let mut random = Random(5);
    // Every exponent of a half and beyond both ends; ties, too.
    let mut components: Vec<f32> = (0..20_000)
        .map(|_| {
            let bits = random.bits() as u32;
            let exponent = 127 - 26 + bits % 44;
            f32::from_bits((bits & 0x8000_0000) | exponent << 23 | (random.bits() as u32 & 0x007f_ffff))
        })
        .collect();
    components.extend((0..2_000).map(|i| (i as f32 + 0.5) / 2.0_f32.powi(24)));
    components.extend((0..2_000).map(|i| (i as f32 + 0.5).next_down() / 2.0_f32.powi(24)));
    components.extend([0.0, -0.0, 65_504.0, 65_519.9, 65_520.0, f32::MAX, f32::INFINITY]);
    let want: Vec<u16> = components.iter().map(|component| half(*component)).collect();
    for kernels in every_isa() {
        let mut bits = vec![[0; 2]; components.len()];
        kernels.halves(&components, &mut bits);
        let bits: Vec<u16> = bits.into_iter().map(u16::from_le_bytes).collect();
        assert_eq!(bits, want, "{kernels:?}");
    }
}
