import { execa } from 'execa';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { wallClockOff } from './wallClock.ts';

/** Paths of a certificate and its key, PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Kubernetes reads a client's groups from here. */
  readonly organizations?: readonly string[];
  /** Addresses and names that a server is reached by; none for a client. */
  readonly addresses?: readonly string[];
  readonly names?: readonly string[];
}

export interface Authority extends Certificate {
  /** Issues a certificate for clients, and for servers when the request has addresses or names. */
  issue(file: string, request: CertificateRequest): Promise<Certificate>;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];

/**
 * Valid since yesterday, as those of a cluster that was not made this minute, so that a client whose clock is late
 * takes them.
 */
const sinceYesterday = { env: wallClockOff(-86_400) };

/** A new authority in `directory`, where the certificates it issues go too. */
export async function createAuthority(directory: string): Promise<Authority> {
  const own = certificatePaths(directory, 'ca');
  const extensions = ['-addext', 'keyUsage=critical,keyCertSign,cRLSign'];
  await execa(
    'openssl',
    ['req', '-x509', ...newKey, ...outputs(own), '-subj', '/CN=proxyconfig-test-cluster', ...extensions],
    sinceYesterday,
  );
  return existingAuthority(directory);
}

/** The authority that createAuthority() has put into `directory`. */
export function existingAuthority(directory: string): Authority {
  const own = certificatePaths(directory, 'ca');
  return {
    ...own,
    issue: async (file, request) => {
      const issued = certificatePaths(directory, file);
      const signer = ['-CA', own.certificate, '-CAkey', own.key];
      await execa(
        'openssl',
        ['req', '-x509', ...newKey, ...signer, ...outputs(issued), ...subjectArguments(request)],
        sinceYesterday,
      );
      return issued;
    },
  };
}

export interface ServiceAccountKey {
  readonly publicKey: string;
  readonly privateKey: string;
}

/** Makes the key pair that signs service account tokens. */
export async function createServiceAccountKey(directory: string): Promise<ServiceAccountKey> {
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const files = serviceAccountKey(directory);
  await writeFile(files.publicKey, pair.publicKey);
  await writeFile(files.privateKey, pair.privateKey, { mode: 0o600 });
  return files;
}

export function serviceAccountKey(directory: string): ServiceAccountKey {
  return { publicKey: join(directory, 'sa.pub'), privateKey: join(directory, 'sa.key') };
}

function subjectArguments({
  commonName,
  organizations = [],
  addresses = [],
  names = [],
}: CertificateRequest): string[] {
  const subject = [...organizations.map((name) => `/O=${escaped(name)}`), `/CN=${escaped(commonName)}`].join('');
  const alternatives = [...addresses.map((address) => `IP:${address}`), ...names.map((name) => `DNS:${name}`)];
  const usage = alternatives.length > 0 ? 'serverAuth,clientAuth' : 'clientAuth';
  const extensions = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `extendedKeyUsage=${usage}`];
  if (alternatives.length > 0) extensions.push('-addext', `subjectAltName=${alternatives.join(',')}`);
  return ['-subj', subject, ...extensions];
}

/** openssl separates the parts of a subject by slashes. */
function escaped(text: string): string {
  return text.replace(/[\\/+]/g, '\\$&');
}

/** Where a certificate of that name is, or goes. */
export function certificatePaths(directory: string, file: string): Certificate {
  return { certificate: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
}

function outputs({ certificate, key }: Certificate): string[] {
  return ['-out', certificate, '-keyout', key];
}
