//! The heap of deadlines against the sorted map that its tests have too.
#![no_main]

#[path = "../../runtime/src/timer/heap.rs"]
mod heap;
#[path = "../../runtime/tests/heap_model/model.rs"]
mod model;

use heap::Heap;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::{Model, Op};

/// Near ones, so that ties are common; far ones, around the ends of the range too; and any.
fn deadline(input: &mut Unstructured<'_>) -> Result<i64> {
    Ok(match input.int_in_range(0..=7u8)? {
        0 => i64::MAX - input.int_in_range(0..=3)?,
        1 => i64::MIN + input.int_in_range(0..=3)?,
        2 => input.arbitrary()?,
        3 | 4 => input.int_in_range(-8..=8)?,
        _ => i64::from(input.arbitrary::<u16>()?) * 1_000_000_000,
    })
}

fn op(input: &mut Unstructured<'_>) -> Result<Op> {
    let pick = |input: &mut Unstructured<'_>| input.arbitrary::<u16>().map(usize::from);
    Ok(match input.int_in_range(0..=15u8)? {
        0..=5 => Op::Insert(deadline(input)?),
        6 | 7 => Op::Remove(pick(input)?),
        8 => Op::RemoveLatest,
        9 | 10 => Op::Reset(pick(input)?, deadline(input)?),
        11 | 12 => Op::ShiftBy(pick(input)?, input.arbitrary::<i32>()?.into()),
        _ => Op::PopDue(deadline(input)?),
    })
}

/// Thirty-two deadlines at a stroke, as the input is short and the far ones are sorted by the part.
fn many(input: &mut Unstructured<'_>, heap: &mut Heap<u64>, model: &mut Model) -> Result<()> {
    let (first, step) = (deadline(input)?, i64::from(input.arbitrary::<i16>()?));
    for nth in 0..32 {
        model.apply(heap, Op::Insert(first.saturating_add(step * nth)));
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let input = &mut Unstructured::new(data);
    let (mut heap, mut model) = (Heap::new(), Model::default());
    let mut play = || -> Result<()> {
        for step in 0.. {
            if input.is_empty() {
                break;
            }
            match input.ratio(1, 16)? {
                true => many(input, &mut heap, &mut model)?,
                false => model.apply(&mut heap, op(input)?),
            }
            model.compare_at(step, &heap);
        }
        Ok(())
    };
    // It ends where the input does.
    let _ = play();
    match data.len() % 2 {
        0 => model.end(&mut heap),
        _ => model.tear_down(&mut heap),
    }
});
