/**
 * `proxyconfig render`: from manifests to what the agent would load on an empty node, without a cluster.
 */
import { text } from 'node:stream/consumers';
import { builtInConfig } from '../../api/defaults.ts';
import { nodeConfigOf, type NodeConfig, type ProxyMode } from '../../api/nodeConfig.ts';
import { governingConfig } from '../../api/resolvePolicy.ts';
import { refusalOfLocalhost } from '../../backend/localhostNodePorts.ts';
import type { ToolInput } from '../../backend/mode.ts';
import { refusalOf, render } from '../../backend/registry.ts';
import { UsageError } from '../../config.ts';
import { decodeNode } from '../../model/decodeNode.ts';
import { familyOf, ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import { familiesOf } from '../../model/nodeAddresses.ts';
import { addressClaimsOf } from '../../model/addressClaims.ts';
import { allowedExternalIPs } from '../../model/externalIPs.ts';
import { familiesWithoutRange } from '../../model/servicePorts.ts';
import { serviceStateOf } from '../../model/serviceState.ts';
import { printable, printableJSON } from '../../observability/printable.ts';
import { collectObjects, type ClusterObjects } from './clusterObjects.ts';
import { readManifests, type Manifests } from './manifests.ts';

/** Notes and problems that are printed of each; more than that nobody reads. */
const maxLines = 50;

/** As the command line gives them. */
export interface RenderFlags {
  readonly filename: readonly string[];
  readonly node: string;
  readonly mode?: ProxyMode;
  readonly family?: IPFamily;
  readonly output: 'text' | 'json';
  /** Only what this tool is given. */
  readonly tool?: string;
}

/** What goes to standard output, and what to standard error; the command has failed when there are problems. */
export interface Rendered {
  readonly output: string;
  readonly notes: readonly string[];
  readonly problems: readonly string[];
}

/**
 * Writes the rules to stdout, notes and problems to stderr, and resolves to the exit status: 0, or 1 where there are
 * problems. Throws UsageError where `-` is given twice, --node is no name, or the mode does not run --tool.
 */
export async function runRender(
  flags: RenderFlags,
  streams: Pick<typeof process, 'stdin' | 'stdout' | 'stderr'>,
): Promise<number> {
  if (flags.filename.filter((name) => name === '-').length > 1)
    throw new UsageError('-f - may be given once: standard input can be read once');
  const { output, notes, problems } = renderManifests(
    await readManifests(flags.filename, () => text(streams.stdin)),
    flags,
  );
  for (const line of [...firstLines('note', notes), ...firstLines('error', problems)])
    streams.stderr.write(`${printable(line)}\n`);
  streams.stdout.write(output);
  return problems.length === 0 ? 0 : 1;
}

/** Each after its kind; of more than `maxLines` the first, and how many more there are. */
function firstLines(kind: string, texts: readonly string[]): string[] {
  const more = texts.length - maxLines;
  return [...texts.slice(0, maxLines), ...(more > 0 ? [`and ${more} more`] : [])].map((line) => `${kind}: ${line}`);
}

/** The rules of one node from manifests. Throws UsageError where --node is no name, or the mode does not run --tool. */
export function renderManifests(
  { manifests, problems: unread }: Manifests,
  flags: Omit<RenderFlags, 'filename'>,
): Rendered {
  const objects = collectObjects(manifests);
  const invalid = [...unread, ...objects.problems];
  if (invalid.length > 0) return failed(objects.notes, invalid);
  const node = nodeNamed(flags.node, objects);
  if (node === undefined)
    return failed(objects.notes, [
      `--node ${flags.node}: there is no such Node in the manifests, which hold ${[...objects.nodes.keys()].sort().join(', ')}`,
    ]);
  const { config, notes: ofConfig } = configOf(node, objects, flags);
  const notes = [...objects.notes, ...ofConfig];
  const refusal = refusalOf(config.mode);
  if (refusal !== undefined)
    return failed(notes, [`mode ${config.mode} cannot be rendered: ${refusal.message}, or give --mode`]);
  const localhost = refusalOfLocalhost(config);
  if (localhost !== undefined) return failed(notes, [localhost.message]);
  return {
    output: formatRules(node, config, objects, flags),
    notes: [
      ...notes,
      ...externalIPNotes(objects, config),
      ...sourceRangeNotes(objects),
      ...claimNotes(objects, config),
      ...familyNotes(node, objects, flags),
    ],
    problems: [],
  };
}

function failed(notes: readonly string[], problems: readonly string[]): Rendered {
  return { output: '', notes, problems };
}

/** undefined where there are Nodes but not this one; without any, a Node of that name is assumed. */
function nodeNamed(name: string, { nodes }: ClusterObjects): NodeRecord | undefined {
  if (nodes.size > 0) return nodes.get(name);
  const { record } = decodeNode({ metadata: { name } });
  if (record === undefined) throw new UsageError(`--node must be the name of a Node, not '${name}'`);
  return record;
}

function configOf(
  node: NodeRecord,
  objects: ClusterObjects,
  { mode }: Pick<RenderFlags, 'mode'>,
): { config: NodeConfig; notes: string[] } {
  const { winner, tiedWith } = governingConfig(node.labels, objects.configs);
  const notes: string[] = [];
  if (objects.nodes.size === 0)
    notes.push(`no Node in the manifests: ${node.name} is taken to have no labels and addresses`);
  if (winner === undefined)
    notes.push(`no ProxyConfig matches ${node.name}: the built-in defaults hold (mode iptables)`);
  if (winner !== undefined && tiedWith.length > 0) {
    const others = tiedWith.map(({ metadata }) => metadata.name).join(', ');
    notes.push(
      `ProxyConfig ${winner.metadata.name} governs ${node.name}, but ${others} has the same priority: the older wins, then the name; give one a higher spec.priority`,
    );
  }
  const config = winner === undefined ? builtInConfig() : nodeConfigOf(winner.spec);
  return { config: mode === undefined ? config : { ...config, mode }, notes };
}

function formatRules(
  node: NodeRecord,
  config: NodeConfig,
  { services, slices, clusterIPs }: ClusterObjects,
  flags: FormatFlags,
): string {
  const families = selectedFamilies(node, flags);
  const claims = addressClaimsOf(services);
  const [first, ...others] = families.map((family) =>
    serviceStateOf({ services, slices, node, config, family, claims, clusterIPs }),
  );
  const all = first === undefined ? [] : render(first, ...others);
  const inputs = all.filter(({ tool }) => flags.tool === undefined || tool === flags.tool);
  if (inputs.length === 0)
    throw new UsageError(
      `--tool: mode ${config.mode} runs ${toolsOf(all).join(', ')} for ${families.join(' and ')}, not '${flags.tool}'`,
    );
  if (flags.output === 'json') return `${printableJSON(inputs, 2)}\n`;
  // What one tool is given can be piped into it as it is; of several, each follows a line that names its tool.
  return inputs.length <= 1
    ? (inputs[0]?.input ?? '')
    : inputs.map(({ tool, args, input }) => `# ${[tool, ...args].join(' ')}\n${input}`).join('');
}

function toolsOf(inputs: readonly ToolInput[]): readonly string[] {
  return [...new Set(inputs.map(({ tool }) => tool))];
}

type FormatFlags = Pick<RenderFlags, 'family' | 'output' | 'tool'>;

function selectedFamilies({ addresses, podCIDRs }: NodeRecord, { family, output }: FormatFlags): readonly IPFamily[] {
  if (family !== undefined) return [family];
  return output === 'json' ? ipFamilies : [familyOf(addresses[0] ?? podCIDRs[0] ?? '0.0.0.0')];
}

/** What a Service asks for and the ProxyConfig does not allow. */
function externalIPNotes({ services }: ClusterObjects, config: NodeConfig): string[] {
  return [...services].flatMap(([key, { externalIPs }]) => {
    const ignored = externalIPs.filter((address) => !allowedExternalIPs([address], config).includes(address));
    return ignored.length === 0
      ? []
      : [
          `Service ${key}: spec.externalIPs ${ignored.join(', ')} not served: spec.externalIPs.allowedCIDRs of the ProxyConfig must hold them`,
        ];
  });
}

/** Addresses that several Services claim, and whose they are. */
function claimNotes({ services }: ClusterObjects, config: NodeConfig): string[] {
  const claims = addressClaimsOf(services);
  return [...services].flatMap(([key, { externalIPs, loadBalancerIPs, ports }]) =>
    ports.flatMap((port) =>
      [...allowedExternalIPs(externalIPs, config), ...loadBalancerIPs].flatMap((address) => {
        const owner = claims.ownerOf(address, port, config);
        return owner === undefined || owner === key
          ? []
          : [`Service ${key}: not served at ${address} port ${port.port}/${port.protocol}, which is ${owner}'s`];
      }),
    ),
  );
}

/** What a Service with source ranges of one family may not expect of the other. */
function sourceRangeNotes({ services }: ClusterObjects): string[] {
  return [...services].flatMap(([key, service]) =>
    familiesWithoutRange(service).map(
      (family) =>
        `Service ${key}: spec.loadBalancerSourceRanges has no ${family} range: nobody reaches its ${family} load balancer addresses`,
    ),
  );
}

/** An agent runs the families of its Node's addresses and Pod ranges. */
function familyNotes(node: NodeRecord, { nodes }: ClusterObjects, flags: FormatFlags): string[] {
  const absent = selectedFamilies(node, flags).filter((family) => !familiesOf(node).includes(family));
  return nodes.size === 0
    ? []
    : absent.map((family) => `Node ${node.name} has no ${family} address: its agent does not load these rules`);
}
