/**
 * What a condition may say, by example.
 */
import { atMost, distinct, oneOf, required, time, type Row } from './admissionRow.ts';

const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'AllReady',
  message: '',
  lastTransitionTime: '2026-01-31T12:00:00Z',
};
const ready = { 'status.conditions[0]': condition };

/** Conditions are alike in both kinds but for their sizes. */
export function conditionRows(size: { count: number; type: number; reason: number; message: number }): Row[] {
  return [
    distinct('status.conditions', size.count, (index) => ({ ...condition, type: `Type${index}` })),
    ...Object.entries(condition).map(([field, value]) => required(`status.conditions[0].${field}`, value, ready)),
    atMost('status.conditions[0].type', size.type, ready),
    oneOf('status.conditions[0].status', ['True', 'False', 'Unknown'], ready),
    { field: 'status.conditions[0].reason', given: ready, accepted: ['a'], refused: [''] },
    atMost('status.conditions[0].reason', size.reason, ready),
    atMost('status.conditions[0].message', size.message, ready),
    { field: 'status.conditions[0].observedGeneration', given: ready, accepted: [0], refused: [-1] },
    time('status.conditions[0].lastTransitionTime', ready),
  ];
}
