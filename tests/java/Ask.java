// Sends a chat completion with the JDK's own HTTP client, as its defaults are: on plain http it
// offers to go on in HTTP/2 (`Upgrade: h2c`).
//
//     java Ask.java URL KEY BODY [chunked]
//
// Prints the status, the version and the body of each of two answers, one after the other.
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

class Ask {
    public static void main(String[] arguments) throws Exception {
        byte[] body = arguments[2].getBytes(StandardCharsets.UTF_8);
        // Of a stream the client does not know the length: it sends chunks.
        BodyPublisher publisher = arguments.length > 3
            ? BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))
            : BodyPublishers.ofByteArray(body);
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .timeout(Duration.ofSeconds(20))
            .header("Authorization", "Bearer " + arguments[1])
            .header("Content-Type", "application/json")
            .POST(publisher)
            .build();
        for (int turn = 0; turn < 2; turn++) {
            var answer = client.send(request, BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version());
            System.out.println(answer.body().replace("\n", "\\n"));
        }
    }
}
