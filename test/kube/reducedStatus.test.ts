import { describe, expect, test } from '@jest/globals';
import { ApiError, errorFromStatus } from '../../src/kube/apiError.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { reducingClient, sendReduced } from '../../src/kube/reducedStatus.ts';

const ready = { type: 'Ready', status: 'True' };
const drifted = { type: 'Drifted', status: 'False' };
const status = {
  observedGeneration: 3,
  rollout: { state: 'Failed' },
  modes: { iptables: 1, constructor: 2 },
  failures: [{ node: 'a' }, { node: 'b' }],
  dataplane: { services: 3, quarantined: [{ name: 'web' }] },
  conditions: [drifted, ready],
};
type Status = Partial<typeof status>;

/** An API server that refuses a status for as long as one of these holds, and names these fields of it. */
function server(
  rows: readonly { readonly refuses: (status: Status) => boolean; readonly fields?: readonly string[] }[],
) {
  const tried: Status[] = [];
  const send = async (each: object): Promise<string> => {
    tried.push(each);
    const refusal = rows.find(({ refuses }) => refuses(each));
    if (refusal === undefined) return 'written';
    const causes = (refusal.fields ?? []).map((field) => ({ field, reason: 'FieldValueInvalid' }));
    throw errorFromStatus({ kind: 'Status', reason: 'Invalid', details: { causes } }, 422);
  };
  return { tried, send };
}

const { failures: _failures, ...noFailures } = status;
const noQuarantined = { ...noFailures, dataplane: { services: 3 } };

describe('sendReduced', () => {
  test.each([
    { name: 'what is taken is sent as it is', rows: [], last: status, without: [] },
    {
      name: 'the entry of a list that the API server names is left out, and no other',
      rows: [{ refuses: (each: Status) => each.failures?.[0]?.node === 'a', fields: ['status.failures[0].message'] }],
      last: { ...status, failures: [{ node: 'b' }] },
      without: ['status.failures[0].message'],
    },
    {
      name: 'a key of a map that the API server names is left out',
      rows: [
        {
          refuses: (each: Status) =>
            'constructor' in (each.modes ?? {}) && Object.hasOwn(each.modes ?? {}, 'constructor'),
          fields: ['status.modes[constructor]'],
        },
      ],
      last: { ...status, modes: { iptables: 1 } },
      without: ['status.modes[constructor]'],
    },
    {
      name: 'several entries of one list are left out at once',
      rows: [
        {
          refuses: (each: Status) => each.failures?.length !== 0,
          fields: ['status.failures[0].node', 'status.failures[1]'],
        },
      ],
      last: { ...status, failures: [] },
      without: ['status.failures[0].node, status.failures[1]'],
    },
    {
      name: 'where nothing is named failures go first',
      rows: [{ refuses: (each: Status) => each.failures !== undefined }],
      last: noFailures,
      without: ['failures'],
    },
    {
      name: 'then Services that are left out, then conditions but Ready',
      rows: [{ refuses: (each: Status) => each.conditions?.length !== 1 }],
      last: { ...noQuarantined, conditions: [ready] },
      without: ['failures', 'dataplane.quarantined', 'conditions other than Ready'],
    },
    {
      name: 'neither the rollout nor Ready is left out, although they are named',
      rows: [
        {
          refuses: (each: Status) => each.conditions?.length !== 1,
          fields: ['status.rollout.state', 'status.conditions[1].type'],
        },
      ],
      last: { ...noQuarantined, conditions: [ready] },
      without: ['failures', 'dataplane.quarantined', 'conditions other than Ready'],
    },
  ])('$name', async ({ rows, last, without }) => {
    const { tried, send } = server(rows);
    const left: string[] = [];
    await expect(sendReduced(status, send, (_error, each) => left.push(each))).resolves.toBe('written');
    expect({ last: tried.at(-1), left }).toEqual({ last, left: without });
  });

  test('a status that is refused in every form is tried a few times, and the refusal is thrown', async () => {
    const { tried, send } = server([{ refuses: () => true, fields: ['status.rollout'] }]);
    await expect(sendReduced(status, send, () => undefined)).rejects.toMatchObject({ status: 422 });
    expect(tried.length).toBe(4);
  });

  test.each([0, 401, 404, 409, 429, 503])('an error %i is no refusal: nothing is left out', async (code) => {
    let tries = 0;
    const send = async (): Promise<never> => {
      tries += 1;
      throw new ApiError({ status: code, reason: 'x', message: 'x' });
    };
    await expect(sendReduced(status, send, () => undefined)).rejects.toMatchObject({ status: code });
    expect(tries).toBe(1);
  });
});

describe('reducingClient', () => {
  test('sends the rest of the request as it was', async () => {
    const sent: unknown[] = [];
    const client = {
      send: async (method: string, path: string, options: { readonly body: { readonly status: object } }) => {
        sent.push([method, path, options]);
        if ('failures' in options.body.status)
          throw new ApiError({ status: 422, reason: 'Invalid', message: 'x', fields: ['status.failures'] });
      },
    };
    const query = { force: true };
    const metadata = { name: 'node-1' };
    await reducingClient(client as unknown as KubeClient, () => undefined).send('PATCH', '/n/status', {
      query,
      body: { metadata, status: { state: 'Ready', failures: [] } },
    });
    expect(sent.at(-1)).toEqual(['PATCH', '/n/status', { query, body: { metadata, status: { state: 'Ready' } } }]);
  });
});
