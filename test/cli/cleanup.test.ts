import { expect, test } from '@jest/globals';
import { execa } from 'execa';
import { renderIptables } from '../../src/backend/iptables/plan/render.ts';
import { manyServices, state } from '../backend/iptables/services.ts';
import { describeWhere } from '../support/requirements.ts';
import { proxyconfig } from './proxyconfig.ts';

const unshare = process.getuid?.() === 0 ? ['--net'] : ['--user', '--map-root-user', '--net', '--mount'];

/**
 * Runs a script in a network namespace of its own; `before` and `after` are what stands there before and after the
 * clean-up.
 */
async function cleanUpAfter(
  rules: string,
  flags = '',
): Promise<{ stdout: string; before: string; after: string; second: string }> {
  const script = `
    iptables-restore <<'FOREIGN'
*nat
:OTHERS - [0:0]
-A POSTROUTING -j OTHERS
-A OTHERS -s 198.51.100.0/24 -m comment --comment "of another" -j MASQUERADE
COMMIT
FOREIGN
    iptables-save | grep -v '^#' > "$DIRECTORY/before"
    iptables-restore --noflush; src/main.ts cleanup ${flags}; echo "exit $?"
    iptables-save | grep -v '^#' > "$DIRECTORY/after"
    src/main.ts cleanup ${flags} > "$DIRECTORY/second"
    for file in before after second; do echo "== $file"; cat "$DIRECTORY/$file"; done`;
  const result = await execa(
    'unshare',
    [...unshare, 'sh', '-c', `DIRECTORY=$(mktemp -d); trap 'rm -r "$DIRECTORY"' EXIT; ${script}`],
    {
      input: rules,
    },
  );
  const [stdout = '', before = '', after = '', second = ''] = result.stdout.split(/^== (?:before|after|second)\n/m);
  return { stdout, before, after, second };
}

describeWhere(['iptables', 'netns'], 'proxyconfig cleanup', () => {
  test('removes what render shows, says so, and leaves the rules of others byte for byte', async () => {
    const { stdout: rules } = await proxyconfig(['render', '-f', 'test/cli/manifests', '--node', 'node-1']);
    const { stdout, before, after, second } = await cleanUpAfter(rules);
    expect(stdout).toContain('chain KUBE-SVC-FWZO4IPCTY5IWGE6 of table nat');
    expect(stdout).toMatch(/^\d+ objects removed\nexit 0$/m);
    expect(before).toContain('of another');
    expect(withoutCounters(after).filter((line) => !isEmptyTable(line))).toEqual(
      withoutCounters(before).filter((line) => !isEmptyTable(line)),
    );
    expect(second).toContain('nothing of ours was found');
  });

  test('--handover keeps the Services and removes only what kube-proxy would not know', async () => {
    const { stdout, after, second } = await cleanUpAfter(renderIptables(state(manyServices(130))).input, '--handover');
    expect(stdout).toMatch(/^removed ipv4 (nft|legacy) chain KUBE-SB-0A600000-27 of table nat$/m);
    expect(stdout).toMatch(/^\d+ objects removed\nexit 0$/m);
    expect(after).not.toContain('KUBE-SB-');
    expect(after.match(/^-A KUBE-SERVICES -d .* cluster IP/gm)).toHaveLength(130);
    expect(after.match(/ -j DNAT /g)).toHaveLength(3 * 130);
    expect(second).toContain('nothing stands in the way of kube-proxy');
  });
});

function withoutCounters(saved: string): string[] {
  return saved
    .trim()
    .split('\n')
    .map((line) => line.replace(/\[\d+:\d+\]/, ''));
}

/** Tables that were used once stay, with their built-in chains. */
function isEmptyTable(line: string): boolean {
  return /^(\*(filter|mangle)|:(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING) .*|COMMIT)$/.test(line);
}
