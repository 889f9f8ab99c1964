/**
 * Writes what follows from the CustomResourceDefinitions in this folder, so that they stay the one source of the API:
 * the TypeScript in `src/api/generated/` and the page `docs/reference/api.md`.
 *
 * `node crds/generate.ts` writes; `node crds/generate.ts --check` exits 1 when a written file is not current.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readDefinition } from './definition.ts';
import { referencePage } from './referencePage.ts';
import { schemasModule, typesModule } from './typescript.ts';

/** The text of each generated file by its path in the repository. */
async function generate(): Promise<Readonly<Record<string, string>>> {
  const proxyConfig = readDefinition('proxyconfigs.yaml');
  const nodeProxy = readDefinition('nodeproxies.yaml');
  const definitions = [proxyConfig, nodeProxy];
  return {
    'src/api/generated/proxyConfig.ts': await typesModule(proxyConfig),
    'src/api/generated/nodeProxy.ts': await typesModule(nodeProxy),
    'src/api/generated/schemas.ts': schemasModule(definitions),
    'docs/reference/api.md': referencePage(definitions),
  };
}

function isCurrent(url: URL, text: string): boolean {
  try {
    return readFileSync(url, 'utf8') === text;
  } catch {
    return false;
  }
}

async function main(isCheck: boolean): Promise<void> {
  for (const [path, text] of Object.entries(await generate())) {
    const url = new URL(`../${path}`, import.meta.url);
    if (isCheck && !isCurrent(url, text)) {
      console.error(`${path} is not current: run npm run generate`);
      process.exitCode = 1;
    } else if (!isCheck) {
      mkdirSync(new URL('.', url), { recursive: true });
      writeFileSync(url, text);
    }
  }
}

if (import.meta.main) await main(process.argv.includes('--check'));
