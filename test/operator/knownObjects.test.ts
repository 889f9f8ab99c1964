/**
 * What the operator knows after its watches and the responses to its own writes, in the orders in which they can come.
 */
import { describe, expect, test } from '@jest/globals';
import { KnownObjects, WrittenObjects } from '../../src/operator/watch/knownObjects.ts';

interface Item {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly spec: string;
}

type Step = (
  known: KnownObjects<unknown> & Pick<Partial<WrittenObjects<Item>>, 'observeResponse'>,
) => boolean | undefined;

interface Row {
  readonly name: string;
  readonly steps: readonly Step[];
  /** What each step returns: whether it changed what is known. */
  readonly changed: readonly boolean[];
  /** Each object that is known afterwards, by name. */
  readonly known: Readonly<Record<string, string>>;
}

const item = (resourceVersion: number | string, spec: string, name: string): Item => ({
  metadata: { name, resourceVersion: String(resourceVersion) },
  spec,
});

/** The watch brings an object. */
const seen =
  (resourceVersion: number | string, spec: string, name = 'a'): Step =>
  (known) =>
    known.observe({
      name,
      resourceVersion: String(resourceVersion),
      record: known.decode(item(resourceVersion, spec, name)),
    });

/** The watch says that an object is deleted; of that it brings no resourceVersion. */
const gone =
  (name = 'a'): Step =>
  (known) =>
    known.observe({ name, resourceVersion: '' });

/** The API server responds to a write. */
const written =
  (resourceVersion: number | string, spec: string, name = 'a'): Step =>
  (known) =>
    known.observeResponse?.(item(resourceVersion, spec, name));

const ignored = 'ignored';

describe('KnownObjects', () => {
  /** Keeps the spec alone, as `decodeNode` leaves out what nothing depends on. */
  const decode = (object: unknown): string | undefined => {
    const { spec } = object as Item;
    return spec === ignored ? undefined : spec;
  };
  const rows: readonly Row[] = [
    { name: 'keeps a new object', steps: [seen(1, 'x')], changed: [true], known: { a: 'x' } },
    {
      name: 'keeps objects by their names',
      steps: [seen(1, 'x'), seen(2, 'x', 'b')],
      changed: [true, true],
      known: { a: 'x', b: 'x' },
    },
    {
      name: 'sees no change where the record is equal, whatever its resourceVersion',
      steps: [seen(1, 'x'), seen(1, 'x'), seen(2, 'x')],
      changed: [true, false, false],
      known: { a: 'x' },
    },
    {
      name: 'replaces a record that is another',
      steps: [seen(1, 'x'), seen(2, 'y')],
      changed: [true, true],
      known: { a: 'y' },
    },
    {
      name: 'takes what a watch brings even where its resourceVersion is lower: etcd may come from a backup',
      steps: [seen(9, 'x'), seen(2, 'y')],
      changed: [true, true],
      known: { a: 'y' },
    },
    { name: 'drops a deleted object', steps: [seen(1, 'x'), gone()], changed: [true, true], known: {} },
    { name: 'ignores the end of an object that it never had', steps: [gone()], changed: [false], known: {} },
    {
      name: 'keeps an object that is made anew',
      steps: [seen(1, 'x'), gone(), seen(3, 'x')],
      changed: [true, true, true],
      known: { a: 'x' },
    },
    { name: 'keeps nothing where decode gives undefined', steps: [seen(1, ignored)], changed: [false], known: {} },
    {
      name: 'drops a record whose object decode does not want any more',
      steps: [seen(1, 'x'), seen(2, ignored), seen(3, ignored)],
      changed: [true, true, false],
      known: {},
    },
  ];
  test.each(rows)('$name', ({ steps, changed, known }) => {
    const objects = new KnownObjects(decode);
    expect(steps.map((step) => step(objects))).toEqual(changed);
    expect(Object.fromEntries(objects.byName)).toEqual(known);
  });
});

describe('WrittenObjects', () => {
  const decode = (object: unknown): Item | undefined => {
    const decoded = object as Item;
    return decoded.spec === ignored ? undefined : decoded;
  };
  const rows: readonly Row[] = [
    {
      name: 'keeps what a watch brings, as long as nothing is written',
      steps: [seen(5, 'x'), seen(6, 'y'), seen(6, 'y')],
      changed: [true, true, false],
      known: { a: 'y@6' },
    },
    {
      name: 'knows at once what was written where nothing was known',
      steps: [written(5, 'x')],
      changed: [true],
      known: { a: 'x@5' },
    },
    {
      name: 'knows at once what was written over what it knew',
      steps: [seen(4, 'x'), written(5, 'y')],
      changed: [true, true],
      known: { a: 'y@5' },
    },
    {
      name: 'tells numbers apart that are longer than exact ones of JavaScript',
      steps: [seen('9007199254740992', 'x'), written('9007199254740993', 'y'), seen('9007199254740992', 'x')],
      changed: [true, true, false],
      known: { a: 'y@9007199254740993' },
    },
    {
      name: 'sees no change when the watch brings the write itself',
      steps: [written(5, 'x'), seen(5, 'x')],
      changed: [true, false],
      known: { a: 'x@5' },
    },
    {
      name: 'passes over what a watch brings from before the write, however often',
      steps: [seen(3, 'x'), written(6, 'y'), seen(4, 'x'), seen(5, 'z')],
      changed: [true, true, false, false],
      known: { a: 'y@6' },
    },
    {
      name: 'compares resourceVersions as numbers',
      steps: [written(10, 'x'), seen(9, 'y')],
      changed: [true, false],
      known: { a: 'x@10' },
    },
    {
      name: 'takes what a watch brings from after the write',
      steps: [written(5, 'x'), seen(7, 'y')],
      changed: [true, true],
      known: { a: 'y@7' },
    },
    {
      name: 'trusts the watch again once it has reached the write: etcd may come from a backup',
      steps: [written(5, 'x'), seen(5, 'x'), seen(2, 'y')],
      changed: [true, false, true],
      known: { a: 'y@2' },
    },
    {
      name: 'waits for the last of several writes',
      steps: [written(5, 'x'), written(8, 'y'), seen(5, 'x'), seen(7, 'z'), seen(8, 'y')],
      changed: [true, true, false, false, false],
      known: { a: 'y@8' },
    },
    {
      name: 'does not take a response that is older than what the watch has brought meanwhile',
      steps: [seen(7, 'y'), written(5, 'x')],
      changed: [true, false],
      known: { a: 'y@7' },
    },
    {
      name: 'neither takes nor waits for a response that the watch has brought already',
      steps: [seen(5, 'x'), written(5, 'x'), seen(2, 'y')],
      changed: [true, false, true],
      known: { a: 'y@2' },
    },
    {
      name: 'waits for no response that it did not take',
      steps: [seen(7, 'y'), written(6, 'x'), seen(5, 'z')],
      changed: [true, false, true],
      known: { a: 'z@5' },
    },
    {
      name: 'takes the end of an object that it has written',
      steps: [written(5, 'x'), gone()],
      changed: [true, true],
      known: {},
    },
    {
      name: 'keeps an object made anew after the one that it wrote, though its resourceVersion is lower',
      steps: [written(5, 'x'), gone(), seen(2, 'y')],
      changed: [true, true, true],
      known: { a: 'y@2' },
    },
    {
      name: 'holds nothing back of other objects',
      steps: [written(9, 'x'), seen(4, 'y', 'b'), written(5, 'z', 'b')],
      changed: [true, true, true],
      known: { a: 'x@9', b: 'z@5' },
    },
    {
      name: 'keeps no response for which decode gives undefined',
      steps: [written(5, ignored)],
      changed: [false],
      known: {},
    },
  ];
  test.each(rows)('$name', ({ steps, changed, known }) => {
    const objects = new WrittenObjects(decode);
    expect(steps.map((step) => step(objects))).toEqual(changed);
    const texts = [...objects.byName].map(([name, { metadata, spec }]) => [
      name,
      `${spec}@${metadata.resourceVersion}`,
    ]);
    expect(Object.fromEntries(texts)).toEqual(known);
  });
});
