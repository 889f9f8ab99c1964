/** @module For `node --import`: tells on standard error of blocks of the event loop. */
import { watchEventLoop } from './eventLoopProbe.ts';

watchEventLoop((line) => process.stderr.write(line));
