// Queries, variables, mutations, masked errors, a subscription as server-sent events, the page for browsers.
import { GraphQLError } from "graphql";
import { createPubSub, createSchema, createYoga } from "graphql-yoga";

const pubSub = createPubSub();
const books = [{ id: "1", title: "Sketch of the Analytical Engine" }];

const yoga = createYoga({
  graphqlEndpoint: "/graphql-yoga",
  logging: false,
  schema: createSchema({
    typeDefs: /* GraphQL */ `
      type Book {
        id: ID!
        title: String!
      }
      type Query {
        books(contains: String): [Book!]!
        greeting: String!
        secret: String
        refused: String
      }
      type Mutation {
        addBook(title: String!): Book!
      }
      type Subscription {
        countdown(from: Int!): Int!
        held: [String!]!
      }
    `,
    resolvers: {
      Query: {
        books: (_, { contains = "" }) => books.filter(({ title }) => title.includes(contains)),
        greeting: (_, __, { GREETING }) => GREETING,
        secret: () => {
          throw new Error("the password is xyzzy");
        },
        refused: () => {
          throw new GraphQLError("not for you", { extensions: { code: "FORBIDDEN" } });
        },
      },
      Mutation: {
        addBook: (_, { title }) => {
          const book = { id: String(books.length + 1), title };
          books.push(book);
          pubSub.publish("added", book);
          return book;
        },
      },
      Subscription: {
        held: {
          async *subscribe(_, __, { HELD_URL }) {
            yield { held: ["at once"] };
            yield { held: await (await fetch(HELD_URL)).json() };
          },
        },
        countdown: {
          async *subscribe(_, { from }) {
            for (let left = from; left >= 0; left -= 1) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              yield { countdown: left };
            }
          },
        },
      },
    },
  }),
});

export default { fetch: yoga.fetch };
