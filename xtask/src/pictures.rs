//! The pictures of the documents: chosen ones of those that the stories of the page draw, made small.
//!
//! The stories write every view in every form into `target/screenshots`. Chosen ones are copied into `docs/pictures`,
//! with at most 256 colours, which a drawn page has hardly more of, so that a reader of the README loads kilobytes.
//! Pictures change only by this task: a run of the tests does not touch the repository.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// Where the stories draw.
const DRAWN: &str = "target/screenshots";
/// Where documents find them.
const KEPT: &str = "docs/pictures";

/// What is drawn, and what the documents call it.
const CHOSEN: [(&str, &str); 12] = [
    ("first-run-wide-light-ltr", "page-first-run"),
    ("chat-wide-light-ltr", "page-chat"),
    ("group-wide-dark-ltr", "page-group-dark"),
    ("group-wide-light-rtl", "page-group-persian"),
    ("verify-wide-light-ltr", "page-verify"),
    ("people-wide-light-ltr", "page-people"),
    ("invitations-wide-light-ltr", "page-invitations"),
    ("requests-wide-light-ltr", "page-requests"),
    ("ticket-wide-light-ltr", "page-ticket"),
    ("settings-wide-light-ltr", "page-settings"),
    ("chat-narrow-light-ltr", "page-chat-narrow"),
    ("group-narrow-dark-rtl", "page-group-narrow-persian"),
];

/// Red, green and blue.
type Colour = [u8; 3];

/// More colours than a palette has.
const COLOURS: usize = 256;
/// Colours that differ in less than these bits of each part are one for the palette, if there are too many.
const FINE: [u8; 4] = [1, 2, 3, 4];
/// A picture that is larger than this is named, in bytes.
const LARGE: u64 = 60 * 1024;

/// Copies the chosen pictures, and says how large they are.
///
/// # Errors
/// When one was not drawn.
pub fn choose(root: &Path) -> Result<()> {
    std::fs::create_dir_all(root.join(KEPT))?;
    for (drawn, kept) in CHOSEN {
        let from = root.join(DRAWN).join(format!("{drawn}.png"));
        let to = root.join(KEPT).join(format!("{kept}.png"));
        if !from.is_file() {
            bail!("{} was not drawn; run `cargo xtask page` first", from.display());
        }
        make_small(&from, &to).with_context(|| format!("{}", from.display()))?;
        let size = to.metadata()?.len();
        let large = if size > LARGE { "  (large)" } else { "" };
        println!("    {KEPT}/{kept}.png: {} KiB{large}", size.div_ceil(1024));
    }
    Ok(())
}

/// Writes a picture again with a palette.
fn make_small(from: &Path, to: &Path) -> Result<()> {
    let mut reader = png::Decoder::new(BufReader::new(File::open(from)?)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture of this size")?];
    let frame = reader.next_frame(&mut pixels)?;
    ensure!(frame.bit_depth == png::BitDepth::Eight, "a picture of eight bits");
    pixels.truncate(frame.buffer_size());
    let pixels: Vec<u8> = match frame.color_type {
        png::ColorType::Rgba => pixels,
        png::ColorType::Rgb => {
            pixels.as_chunks::<3>().0.iter().flat_map(|[red, green, blue]| [*red, *green, *blue, 255]).collect()
        }
        other => bail!("a picture in colours, not {other:?}"),
    };
    let (palette, indices) = palette_of(&pixels);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(to)?), frame.width, frame.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&indices)?;
    writer.finish()?;
    Ok(())
}

/// The colours, three bytes each, and which of them each pixel has. A drawn page is made of few colours and the steps
/// between them at the edges of letters: the colours that are there most often stay as they are, and the others become
/// the nearest of those.
fn palette_of(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let pixels = pixels.as_chunks::<4>().0;
    let mut counts: HashMap<Colour, u64> = HashMap::new();
    for [red, green, blue, _] in pixels {
        *counts.entry([*red, *green, *blue]).or_default() += 1;
    }
    let mut often: Vec<(Colour, u64)> = counts.into_iter().collect();
    // The colour itself decides between equals, so that the same picture gives the same file.
    often.sort_by_key(|(colour, count)| (Reverse(*count), *colour));
    let mut palette: Vec<Colour> = often.iter().map(|(colour, _)| *colour).collect();
    for bits in FINE {
        if palette.len() <= COLOURS {
            break;
        }
        let mut seen = HashSet::new();
        palette.retain(|colour| seen.insert(colour.map(|part| part >> bits)));
    }
    palette.truncate(COLOURS);
    let mut known: HashMap<Colour, u8> = HashMap::new();
    let mut nearest = |colour: Colour| {
        *known.entry(colour).or_insert_with(|| {
            let near = |place: &usize| {
                palette[*place].iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum::<u32>()
            };
            (0..palette.len()).min_by_key(near).and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
        })
    };
    let indices = pixels.iter().map(|[red, green, blue, _]| nearest([*red, *green, *blue])).collect();
    (palette.concat(), indices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_colours_stay_as_they_are() {
        let pixels = [[1, 2, 3, 255], [9, 8, 7, 255], [1, 2, 3, 255]].concat();
        assert_eq!(palette_of(&pixels), (vec![1, 2, 3, 9, 8, 7], vec![0, 1, 0]));
    }

    #[test]
    fn many_colours_come_close() {
        let pixels: Vec<u8> = (0..=255).flat_map(|n: u8| [[n, n, 90, 255], [n, 30, n, 255]].concat()).collect();
        let (palette, indices) = palette_of(&pixels);
        assert!(palette.len() <= 3 * COLOURS);
        for (colour, index) in pixels.as_chunks::<4>().0.iter().zip(indices) {
            let near = &palette[3 * usize::from(index)..][..3];
            let far = near.iter().zip(colour).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(far < Some(20), "{colour:?} became {near:?}");
        }
    }
}
