/**
 * @module A rule for the linter: no key that is not written down in the source is looked up with `record[key]` or
 * `key in record`, which find what every object inherits from its prototype. `ownValue` of src/api looks it up.
 */
interface Expression {
  readonly type: string;
}
interface Member extends Expression {
  readonly computed: boolean;
  readonly property: Expression;
}
interface Binary extends Expression {
  readonly operator: string;
  readonly left: Expression;
}
interface Context {
  report(finding: { readonly node: Expression; readonly message: string }): void;
}

const message = 'this key may be one that all objects inherit: look it up with ownValue, fieldOf or in a Map';

const isWritten = ({ type }: Expression): boolean => type === 'Literal' || type === 'PrivateIdentifier';

export default {
  meta: { name: 'own' },
  rules: {
    keys: {
      create: (context: Context) => ({
        MemberExpression: (node: Member): void => {
          if (node.computed && !isWritten(node.property)) context.report({ node, message });
        },
        BinaryExpression: (node: Binary): void => {
          if (node.operator === 'in' && !isWritten(node.left)) context.report({ node, message });
        },
      }),
    },
  },
};
