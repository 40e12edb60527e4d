import com.dashjoin.jsonata.*;
import com.dashjoin.jsonata.json.Json;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/** Evaluates `{"states", "expressions"}`, one a line, and answers a list of `{"value"}`, `{"nothing"}`, `{"error"}`. */
public class Evaluate {
  public static void main(String[] arguments) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "UTF-8");
    var parsed = new HashMap<String, Jsonata>();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      var given = (Map<?, ?>) Json.parseJson(line);
      var answers = new ArrayList<Object>();
      for (var text : (List<?>) given.get("expressions")) {
        var answer = new LinkedHashMap<String, Object>();
        try {
          var expression = parsed.computeIfAbsent((String) text, Jsonata::jsonata);
          var frame = expression.createFrame();
          frame.setRuntimeBounds(5000, 100);
          frame.bind("states", given.get("states"));
          var value = expression.evaluate(null, frame);
          answer.put(value == null ? "nothing" : "value", value == null ? true : value);
        } catch (Throwable thrown) {
          answer.put("error", thrown.toString());
        }
        answers.add(answer);
      }
      out.println(Functions.string(answers, false));
    }
    out.flush();
  }
}
