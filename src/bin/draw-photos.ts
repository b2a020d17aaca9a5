/**
 * Entry point of the process that draws photos: writes them as a zip to standard output. A process of its own, because a
 * server lets libvips read the formats of photos alone, and what is drawn is an SVG first.
 */
import { drawnArchive } from '../drawing/drawn-photos.js';

process.stdout.write(await drawnArchive());
