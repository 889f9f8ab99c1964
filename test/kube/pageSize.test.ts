/**
 * How many objects the next page of a list is asked to have.
 */
import { describe, expect, test } from '@jest/globals';
import { PageSize } from '../../src/kube/pageSize.ts';

type Step = (pageSize: PageSize) => void;

const kiB = 1024;
const page =
  (objects: number, bytes: number): Step =>
  (pageSize) => {
    pageSize.next();
    for (let index = 0; index < objects; index += 1) pageSize.observe(bytes);
  };
const failure: Step = (pageSize) => pageSize.failed();
const completion: Step = (pageSize) => pageSize.completed();

describe('PageSize', () => {
  test.each<{ name: string; max?: number; steps: readonly Step[]; next: number }>([
    { name: 'begins with 20', steps: [], next: 20 },
    { name: 'never asks for more than the maximum', max: 3, steps: [page(3, 1)], next: 3 },
    { name: 'asks for the maximum where objects are small', steps: [page(20, kiB)], next: 500 },
    { name: 'asks for 4 MiB', steps: [page(20, 256 * kiB)], next: 16 },
    { name: 'asks for one object at least', steps: [page(20, 9000 * kiB)], next: 1 },
    { name: 'goes by the last page', steps: [page(20, 256 * kiB), page(16, kiB)], next: 500 },
    { name: 'goes by the last page, the other way', steps: [page(20, kiB), page(500, 256 * kiB)], next: 16 },
    { name: 'begins anew after a page without objects', steps: [page(20, kiB), page(0, 0)], next: 20 },
    { name: 'begins anew with each list', steps: [page(20, kiB), completion], next: 20 },
    { name: 'after a page that was cut, begins anew', steps: [page(20, kiB), page(400, kiB), failure], next: 20 },
    {
      name: 'after a page that was cut, asks for half',
      steps: [page(20, kiB), page(400, kiB), failure, page(20, kiB)],
      next: 250,
    },
    {
      name: 'after many that were cut, asks for 20',
      steps: [...Array.from({ length: 9 }, () => [page(20, kiB), page(9, kiB), failure]).flat(), page(20, kiB)],
      next: 20,
    },
    {
      name: 'after pages that failed as a whole, asks as before',
      steps: [page(0, 0), failure, page(20, kiB)],
      next: 500,
    },
    {
      name: 'after a complete list, asks as before',
      steps: [page(20, kiB), page(400, kiB), failure, completion, page(20, kiB)],
      next: 500,
    },
  ])('$name', ({ max = 500, steps, next }) => {
    const pageSize = new PageSize(max);
    for (const step of steps) step(pageSize);
    expect(pageSize.next()).toBe(next);
  });
});
