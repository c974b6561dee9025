import { createSchema, createYoga } from "graphql-yoga";

const schema = createSchema({
  typeDefs: "type Query { hello(name: String): String, fails: String } type Mutation { add(a: Int!, b: Int!): Int }",
  resolvers: {
    Query: {
      hello: (_, { name }) => `hello ${name}`,
      fails: () => {
        throw new Error("thrown");
      },
    },
    Mutation: { add: (_, { a, b }) => a + b },
  },
});

export default createYoga({ schema, logging: false, graphqlEndpoint: "/graphql" });
